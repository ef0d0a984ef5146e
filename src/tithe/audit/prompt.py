"""The synthetic prompts of an audit. How words come to a wanted number of tokens is told in `core/words.py`."""

from tithe.core import Message
from tithe.core.words import KEEP_WRITING, Calibration, words


class Prompts:
    """Makes the messages of an audit. `salt` is fresh every run, so no run meets an earlier one's cache."""

    def __init__(self, calibration: Calibration, salt: str) -> None:
        self._calibration = calibration
        self._salt = salt

    def text(self, tokens: int, key: str) -> str:
        """About `tokens` tokens of words that no other key shares a prefix with."""
        return words(max(1, round(tokens / self._calibration.tokens_a_word)), self._salt, key)

    def estimated_tokens(self, messages: tuple[Message, ...]) -> float:
        """About how many tokens these messages are as a prompt, tools not counted."""
        spoken = sum(len((message.content or "").split()) for message in messages)
        return self._calibration.overhead + spoken * self._calibration.tokens_a_word

    def system(self, tokens: int, key: str) -> Message:
        """A system prompt of about `tokens` tokens, the chat template's own not counted."""
        return Message(role="system", content=self.text(tokens, key))

    def user(self, tokens: int, key: str) -> Message:
        """A user's turn of about `tokens` tokens that begins with salted words and asks for a long answer."""
        instruction = len(KEEP_WRITING.split()) * self._calibration.tokens_a_word
        own = self.text(max(1, round(tokens - instruction)), key)
        return Message(role="user", content=f"{own}. {KEEP_WRITING}")

    def tool_result(self, tokens: int, key: str) -> Message:
        """What a simulated tool returned, as a user's turn: every model takes one, called a tool or not."""
        result = self.user(tokens, key)
        return Message(role="user", content=f"Tool result: {result.content}")
