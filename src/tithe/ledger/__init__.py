"""Attribution: where a task's wall clock went, what it waited for, what of it was avoidable, and why a prefix was lost."""

from tithe.ledger.account import (
    BUCKETS,
    INFERENCE,
    Account,
    Bar,
    Bucket,
    Entry,
    Ledger,
    ManyTasks,
    ModelRow,
    Slice,
    Spread,
    StepRow,
    TaxItem,
    ToolRow,
)
from tithe.ledger.breaks import Break, CallPrefix, Cause, Diagnosis
from tithe.ledger.ledger import accounts, make_account, make_ledger

__all__ = [
    "BUCKETS",
    "INFERENCE",
    "Account",
    "Bar",
    "Break",
    "Bucket",
    "CallPrefix",
    "Cause",
    "Diagnosis",
    "Entry",
    "Ledger",
    "ManyTasks",
    "ModelRow",
    "Slice",
    "Spread",
    "StepRow",
    "TaxItem",
    "ToolRow",
    "accounts",
    "make_account",
    "make_ledger",
]
