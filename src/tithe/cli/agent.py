"""`tithe agent`: the reference agents, a command each."""

from cyclopts import App

app = App(name="agent", help="Let a model do a task within a budget of time.")
app.command(
    "tithe.cli.agent_code:code", name="code", help="Work on a project's files, and show what would change."
)
app.command(
    "tithe.cli.agent_browse:browse", name="browse", help="Act on a web page in a browser, and answer."
)
app.command(
    "tithe.cli.agent_world:world", name="world", help="Do a task of the task world, as the bundled model can."
)
