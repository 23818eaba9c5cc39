"""The only starter of processes: short commands, streams of lines, and jobs that outlive us.

No shell is ever used. Every process leads a session of its own, so that ending it ends what it started in its group.
"""

from ecluse.process.beside import background
from ecluse.process.detached import JobState, JobStatus, cancel_job, host_job, job_pid, job_status, run_job
from ecluse.process.ending import GRACE_S, end_group, end_marked, guarded, pass_interrupts_on
from ecluse.process.running import CommandFailed, Completed, Limits, Pipe, open_pipe, run, run_at_terminal
from ecluse.process.starting import missing_tool, which
from ecluse.process.streaming import stream

__all__ = [
    "GRACE_S",
    "CommandFailed",
    "Completed",
    "JobState",
    "JobStatus",
    "Limits",
    "Pipe",
    "background",
    "cancel_job",
    "end_group",
    "end_marked",
    "guarded",
    "host_job",
    "job_pid",
    "job_status",
    "missing_tool",
    "open_pipe",
    "pass_interrupts_on",
    "run",
    "run_at_terminal",
    "run_job",
    "stream",
    "which",
]
