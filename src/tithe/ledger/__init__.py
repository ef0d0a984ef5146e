"""Attribution: where a task's wall clock went, what it waited for, what of it was avoidable, and why a prefix was lost."""
