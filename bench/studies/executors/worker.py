"""A worker as a process of its own: batches come as lines of JSON, events go as lines of JSON.

What it is told: ``{"job", "greeting"}`` first, then ``{"batch"}`` over and over, ``{"end"}`` last. What it tells:
``{"event"}``, ``{"done"}`` after each batch, ``{"refused"}`` where it cannot work for this parent. Where its input ends
without ``end``, the parent is gone, and so is it.
"""

import json
import os
import socket
import sys
import threading
from queue import SimpleQueue
from typing import Any

from ....errors import UserError
from .messages import alone, batch_of, check_greeting, event_json, job_of

WHERE = f"{socket.gethostname()}:{os.getpid()}"


def main() -> None:
    """Work until the parent has no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a stranger's network may print; what is told stays clean
    asked: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()

    def tell(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    first = asked.get()
    try:
        check_greeting(first["greeting"], WHERE)
        from ..work import do

        job = job_of(first["job"])
        while "batch" in (message := asked.get()):
            for event in alone(do(batch_of(message["batch"]), job), job):
                tell(event=event_json(event))
            tell(done=True)
    except UserError as error:  # another brodmann, or a store that does not answer: no cell's own fault
        tell(refused=str(error))


def _listen(asked: "SimpleQueue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        message = json.loads(line)
        asked.put(message)
        if "end" in message:
            return
    os._exit(1)
