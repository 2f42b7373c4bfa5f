"""Queues of jobs for Python as their users install them: `python jobs.py PORT rq|celery flags|none`"""

import datetime
import logging
import sys
import time

PORT = int(sys.argv[1])
URL = f"redis://127.0.0.1:{PORT}"
# With flags, scripts may touch keys of several slots, and keys that they do not declare.
FLAGS = sys.argv[3] == "flags"


def add(a, b):
    return a + b


def fails_first(key):
    """Fails when it first runs."""
    import redis

    if redis.Redis(port=PORT).incr(key) == 1:
        raise ValueError("not the first time")
    return "done"


def rq_jobs():
    import redis
    from rq import Queue, Retry, SimpleWorker
    from rq.exceptions import DuplicateJobError
    from rq.job import Job
    from rq.registry import FailedJobRegistry, FinishedJobRegistry

    r = redis.Redis(port=PORT)
    logging.getLogger("rq.worker").setLevel(logging.CRITICAL)
    high, low = Queue("high", connection=r), Queue("low", connection=r)
    jobs = [(low if n % 2 else high).enqueue("jobs.add", n, n) for n in range(20)]
    first = low.enqueue("jobs.add", 1, 2)
    after = high.enqueue("jobs.add", 3, 4, depends_on=[first, jobs[0]])
    retried = high.enqueue("jobs.fails_first", "rq:failures", retry=Retry(max=2))
    failed = high.enqueue("jobs.add", "a", 1)
    cancelled = low.enqueue("jobs.add", 5, 6)
    cancelled.cancel()
    many = low.enqueue_many([Queue.prepare_data("jobs.add", args=(n, 1)) for n in range(10)])
    later = low.enqueue_in(datetime.timedelta(0), "jobs.add", 1, 1)
    assert later.get_status() == "scheduled"
    assert after.get_status() == "deferred" and len(high) == 12, (after.get_status(), len(high))
    SimpleWorker([high, low], connection=r).work(
        burst=True, with_scheduler=True, logging_level="CRITICAL"
    )
    assert [job.return_value() for job in jobs] == [2 * n for n in range(20)]
    assert [job.return_value() for job in many] == [n + 1 for n in range(10)]
    assert (after.return_value(), retried.return_value()) == (7, "done")
    assert later.return_value() == 2
    assert failed.is_failed and Job.fetch(cancelled.id, connection=r).is_canceled
    assert FailedJobRegistry(queue=high).get_job_ids() == [failed.id]
    assert FinishedJobRegistry(queue=high).count == 12 and len(high) == len(low) == 0
    FailedJobRegistry(queue=high).requeue(failed)
    assert high.job_ids == [failed.id]
    # These are the scripts with keys of several slots.
    try:
        assert high.empty() == 1 and FLAGS
        high.enqueue("jobs.add", 1, 1, job_id="once", unique=True)
        try:
            high.enqueue("jobs.add", 1, 1, job_id="once", unique=True)
            raise AssertionError("a job that is there was put in again")
        except DuplicateJobError:
            pass
        assert high.job_ids == ["once"]
    except redis.exceptions.ResponseError as error:
        assert not FLAGS and "do not hash to the same slot" in str(error), error


def celery_jobs():
    from celery import Celery, chain, chord, group
    from celery.contrib.testing.worker import start_worker

    app = Celery("jobs", broker=URL, backend=URL)
    app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=False)
    if not FLAGS:
        # Scripts of queues that expire and of chords have several keys: a tag puts them into one slot.
        tag = {"global_keyprefix": "{celery}"}
        app.conf.update(broker_transport_options=tag, result_backend_transport_options=tag)
    tries = []

    @app.task
    def plus(a, b):
        return a + b

    @app.task
    def total(numbers):
        return sum(numbers)

    @app.task(bind=True, max_retries=3)
    def flaky(self):
        tries.append(time.time())
        if len(tries) < 3:
            raise self.retry(countdown=0)
        return len(tries)

    @app.task
    def broken():
        raise KeyError("always")

    logging.getLogger("celery").setLevel(logging.CRITICAL)
    with start_worker(app, pool="threads", concurrency=3, perform_ping_check=False, loglevel="CRITICAL"):
        results = [plus.delay(n, 1) for n in range(30)]
        assert [result.get(timeout=20) for result in results] == [n + 1 for n in range(30)]
        assert group(plus.s(n, n) for n in range(10))().get(timeout=20) == [2 * n for n in range(10)]
        assert chord((plus.s(n, 1) for n in range(10)), total.s())().get(timeout=20) == 55
        assert chain(plus.s(1, 2), plus.s(3), plus.s(4))().get(timeout=20) == 10
        assert flaky.delay().get(timeout=20) == 3
        assert plus.apply_async((2, 2), countdown=0.3).get(timeout=20) == 4
        try:
            broken.delay().get(timeout=20)
            raise AssertionError("a task that fails succeeded")
        except KeyError:
            pass
        revoked = plus.apply_async((1, 1), countdown=60)
        revoked.revoke()
        assert app.control.purge() == 0


if __name__ == "__main__":
    {"rq": rq_jobs, "celery": celery_jobs}[sys.argv[2]]()
    print("ok")
