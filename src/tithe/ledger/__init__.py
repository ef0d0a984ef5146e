"""Attribution: where a task's wall clock went, what it waited for, what of it was avoidable, and why a prefix was lost."""

from tithe.ledger.account import (
    Account,
    Bar,
    Entry,
    Ledger,
    ManyTasks,
    ModelRow,
    Slice,
    Spread,
    StepRow,
    TaxItem,
    ToolRow,
    Unchecked,
)
from tithe.ledger.breaks import Break, CallPrefix, Cause, Diagnosis
from tithe.ledger.difference import Change, Difference, Effect, Side, difference
from tithe.ledger.doctor import diagnose
from tithe.ledger.ledger import accounts, make_account, make_ledger
from tithe.ledger.many import many_tasks
from tithe.ledger.outcome import FailedCall, Outcome
from tithe.ledger.prefix import PromptedCall
from tithe.ledger.price import Price
from tithe.ledger.prompted import prompted_calls
from tithe.trace.buckets import BUCKETS, INFERENCE, Bucket

__all__ = [
    "BUCKETS",
    "INFERENCE",
    "Account",
    "Bar",
    "Break",
    "Bucket",
    "CallPrefix",
    "Cause",
    "Change",
    "Diagnosis",
    "Difference",
    "Effect",
    "Entry",
    "FailedCall",
    "Ledger",
    "ManyTasks",
    "ModelRow",
    "Outcome",
    "Price",
    "PromptedCall",
    "Side",
    "Slice",
    "Spread",
    "StepRow",
    "TaxItem",
    "ToolRow",
    "Unchecked",
    "accounts",
    "diagnose",
    "difference",
    "make_account",
    "make_ledger",
    "many_tasks",
    "prompted_calls",
]
