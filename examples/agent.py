"""A plain agent: OpenAI's client in a loop with tools that act. Nothing in it knows that it is recorded.

    tithe record --upstream embedded -- python examples/agent.py [FAMILY] [SEED] [--clock]

With --clock it tells its model the time in the system prompt, as many agents do, and so loses its prefix at every step.
The task and its tools are the task world's, so that the bundled model can do it; any endpoint that OPENAI_BASE_URL names will do.
Exit status: 0 the task was solved, 1 it was not.
"""

import sys
from datetime import UTC, datetime
from typing import Any

from openai import OpenAI

from tithe.world import make_task, open_world


def main(family: str = "lookup", seed: str = "7", *, clock: bool = False) -> int:
    """Run one task of the task world to its end."""
    task = make_task(family, int(seed), "held_out")  # pyright: ignore[reportArgumentType]
    client = OpenAI()
    model = client.models.list().data[0].id
    tools: list[Any] = [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in task.tools
    ]
    messages: list[Any] = [{"role": "system", "content": task.system}, {"role": "user", "content": task.goal}]
    print(task.goal)
    with open_world(task) as world:
        while not world.over:
            if clock:
                messages[0] = {"role": "system", "content": f"{task.system}\nIt is {datetime.now(UTC)}."}
            with client.chat.completions.stream(
                model=model,
                messages=messages,
                tools=tools,
                temperature=0,
                max_tokens=300,
                stream_options={"include_usage": True},
            ) as stream:
                answer = stream.get_final_completion().choices[0].message
            calls = answer.tool_calls or []
            asked = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
                for call in calls
            ]
            messages.append(
                {"role": "assistant", "content": answer.content, **({"tool_calls": asked} if asked else {})}
            )
            for call in calls:
                result = world.call_json(call.function.name, call.function.arguments)
                print(
                    f"  {call.function.name} {call.function.arguments} -> {result.splitlines()[0] if result else ''}"
                )
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
            if not calls:
                messages.append({"role": "user", "content": world.remind()})
    print("solved" if world.succeeded else "not solved")
    return 0 if world.succeeded else 1


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--clock"]
    sys.exit(main(*given, clock="--clock" in sys.argv))
