"""Qwen3's decoder in the form that trains fastest here; its weights have `transformers`' names.

Theory. Every transcript of a family begins with the same system prompt and tools, more than half of its
tokens. Here that prefix is computed once a step, however many transcripts the batch has, and their
tokens attend to its keys and values: the function and its gradients are those of whole sequences, at
less than half the work. `transformers` computes the same logits from the same weights, and the
export checks that (`export.py`).

Formulas: RMSNorm (Zhang & Sennrich 2019), rotary positions (Su et al. 2021), grouped-query attention
(Ainslie et al. 2023) with normed queries and keys, SwiGLU (Shazeer 2020), tied embeddings, as Qwen3 has
them (Yang et al. 2025).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from shapes import Shape

EPSILON = 1e-6


class Turns(NamedTuple):
    """The rotations of positions in order, each (tokens, 1, head_dim)."""

    cosine: Tensor
    sine: Tensor


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.groups, self.size = (
            shape.num_attention_heads,
            shape.num_key_value_heads,
            shape.head_dim,
        )
        self.q_proj = nn.Linear(shape.hidden_size, self.heads * self.size, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, self.groups * self.size, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, self.groups * self.size, bias=False)
        self.o_proj = nn.Linear(self.heads * self.size, shape.hidden_size, bias=False)
        self.q_norm = nn.RMSNorm(self.size, eps=EPSILON)
        self.k_norm = nn.RMSNorm(self.size, eps=EPSILON)

    def project(self, x: Tensor, turns: Turns) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (rows, groups, heads of a group * tokens, head_dim), scaled; keys and values (rows,
        groups, tokens, head_dim)."""
        rows, tokens, _ = x.shape
        v = self.v_proj(x).view(rows, tokens, self.groups, self.size)
        q = self.q_norm(self.q_proj(x).view(rows, tokens, self.heads, self.size))
        k = self.k_norm(self.k_proj(x).view(rows, tokens, self.groups, self.size))
        q = (_rotated(q, turns) * self.size**-0.5).to(v.dtype)
        q = q.view(rows, tokens, self.groups, -1, self.size).permute(0, 2, 3, 1, 4)
        k = _rotated(k, turns).to(v.dtype)
        return (
            q.reshape(rows, self.groups, -1, self.size),
            k.transpose(1, 2).contiguous(),
            v.transpose(1, 2).contiguous(),
        )

    def joined(self, mixed: Tensor, tokens: int) -> Tensor:
        """What the heads found, as the residual stream takes it: (rows, tokens, hidden)."""
        rows = mixed.shape[0]
        mixed = mixed.view(rows, self.groups, -1, tokens, self.size).permute(0, 3, 1, 2, 4)
        return self.o_proj(mixed.reshape(rows, tokens, self.heads * self.size))


def _rotated(x: Tensor, turns: Turns) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * turns.cosine + torch.cat((-second, first), dim=-1) * turns.sine


def _causal(q: Tensor, k: Tensor) -> Tensor:
    """exp(scores) of tokens with themselves and those before, (rows, groups, queries, tokens).

    Queries and keys are normed, so a score stays far below what float32 can raise e to, and the usual
    subtraction of the largest is not needed.
    """
    tokens = k.shape[2]
    at = torch.arange(q.shape[2], device=q.device) % tokens
    seen = at[:, None] >= torch.arange(tokens, device=q.device)
    return torch.where(seen, torch.exp(torch.matmul(q, k.transpose(-1, -2)).float()), 0.0)


def _shared(q: Tensor, k: Tensor, length: Tensor) -> Tensor:
    """exp(scores) of every row's tokens with the first `length` keys, (groups, rows * queries, keys)."""
    every = q.transpose(0, 1).reshape(q.shape[1], -1, q.shape[3])
    seen = torch.arange(k.shape[2], device=q.device) < length
    return torch.where(seen, torch.exp(torch.matmul(every, k[0].transpose(-1, -2)).float()), 0.0)


class FeedForward(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = FeedForward(shape)
        self.input_layernorm = nn.RMSNorm(shape.hidden_size, eps=EPSILON)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden_size, eps=EPSILON)

    def forward(
        self, before: Tensor, x: Tensor, length: Tensor, before_turns: Turns, turns: Turns
    ) -> tuple[Tensor, Tensor]:
        """`before` (1, prefix tokens, hidden), of which `length` are no padding; `x` (rows, tokens, hidden)."""
        attention = self.self_attn
        q0, k0, v0 = attention.project(self.input_layernorm(before), before_turns)
        q, k, v = attention.project(self.input_layernorm(x), turns)
        alone = _causal(q0, k0)
        mixed = torch.matmul((alone / alone.sum(-1, keepdim=True)).to(v.dtype), v0)
        before = before + attention.joined(mixed, before.shape[1])
        back, own = _shared(q, k0, length), _causal(q, k)
        rows, groups, queries, size = q.shape
        seen = torch.matmul(back.to(v.dtype), v0[0]).view(groups, rows, queries, size).transpose(0, 1)
        weight = back.sum(-1).view(groups, rows, queries).transpose(0, 1) + own.sum(-1)
        mixed = (seen.float() + torch.matmul(own.to(v.dtype), v).float()) / weight[..., None]
        x = x + attention.joined(mixed.to(v.dtype), x.shape[1])
        return (
            before + self.mlp(self.post_attention_layernorm(before)),
            x + self.mlp(self.post_attention_layernorm(x)),
        )


class Decoder(nn.Module):
    """`prefixes` are the token ids before each kind's rows; see `forward`."""

    def __init__(self, shape: Shape, prefixes: list[list[int]]) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = nn.RMSNorm(shape.hidden_size, eps=EPSILON)
        self._size, self._theta = shape.head_dim, shape.rope_theta
        self.prefixed = [bool(ids) for ids in prefixes]
        longest = max(map(len, prefixes))
        padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in prefixes])
        self.register_buffer("prefixes", padded, persistent=False)
        self.register_buffer("lengths", torch.tensor([len(ids) for ids in prefixes]), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # The two that write into the residual stream, by how many write (Radford et al. 2019).
                writes = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / ((2 * shape.num_hidden_layers) ** 0.5 if writes else 1))

    def forward(self, kind: int, tokens: Tensor) -> Tensor:
        """The last hidden states (rows, tokens, hidden) of `tokens` (rows, tokens), each row after the
        prefix of `kind`; padding belongs at a row's end."""
        # Kinds without a prefix are spared the padding of the others': one token stands for none.
        longest = self.prefixes.shape[1] if self.prefixed[kind] else 1
        length = self.lengths[kind]
        before_turns = self._turns(torch.arange(longest, device=tokens.device))
        turns = self._turns(length + torch.arange(tokens.shape[1], device=tokens.device))
        before, x = self.embed_tokens(self.prefixes[kind, None, :longest]), self.embed_tokens(tokens)
        for layer in self.layers:
            before, x = layer(before, x, length, before_turns, turns)
        return self.norm(x)

    def _turns(self, positions: Tensor) -> Turns:
        speeds = self._theta ** -(
            torch.arange(0, self._size, 2, device=positions.device).float() / self._size
        )
        angles = torch.outer(positions.float(), speeds).repeat(1, 2)[:, None]
        return Turns(angles.cos(), angles.sin())
