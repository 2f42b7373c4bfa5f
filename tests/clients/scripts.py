"""Libraries that consist of their scripts: `python scripts.py PORT flags|none`"""

import logging
import sys
import threading
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from limits import RateLimitItemPerMinute, storage, strategies
from pottery import NextID, Redlock
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, ResponseError

# With flags, scripts may touch keys that they do not declare.
PORT, FLAGS = int(sys.argv[1]), sys.argv[2] == "flags"
r = redis.Redis(port=PORT)


def locks():
    lock = r.lock("lock:a", timeout=5, blocking=False)
    other = r.lock("lock:a", timeout=5, blocking=False)
    assert lock.acquire() and not other.acquire()
    assert lock.owned() and lock.locked()
    assert lock.extend(10) and 5000 < r.pttl("lock:a") <= 15000
    assert lock.reacquire() and r.pttl("lock:a") <= 5000
    lock.release()
    for call in (lock.release, other.release):
        try:
            call()
            raise AssertionError("a lock that is not held was released")
        except LockError:
            pass
    lock = r.lock("lock:b", timeout=5)
    assert lock.acquire()
    r.set("lock:b", "somebody else")
    try:
        lock.release()
        raise AssertionError("somebody else's lock was released")
    except LockNotOwnedError:
        pass
    count = {"inside": 0, "done": 0}

    def work():
        with redis.Redis(port=PORT).lock("lock:crowd", timeout=10, sleep=0.005):
            count["inside"] += 1
            assert count["inside"] == 1
            count["done"] += 1
            count["inside"] -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == {"inside": 0, "done": 5}


def registered_scripts():
    script = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert script(keys=["n"], args=[5]) == 5
    r.script_flush()
    assert script(keys=["n"], args=[5]) == 10
    r.script_flush()
    # A pipeline asks SCRIPT EXISTS first and loads what is missing.
    with r.pipeline() as pipe:
        for _ in range(3):
            script(keys=["n"], args=[1], client=pipe)
        assert pipe.execute() == [11, 12, 13]
    try:
        r.evalsha("0" * 40, 0)
        raise AssertionError("an unknown script ran")
    except NoScriptError:
        pass


def redlock():
    first = Redlock(key="door", masters={r}, auto_release_time=5)
    second = Redlock(key="door", masters={redis.Redis(port=PORT)}, auto_release_time=5)
    assert first.acquire(blocking=False) and not second.acquire(blocking=False)
    assert 0 < first.locked() <= 5 and second.locked() == 0
    first.extend()
    first.release()
    assert second.acquire(blocking=False)
    second.release()
    ids = [next(NextID(key="ids", masters={r})) for _ in range(3)]
    assert ids == [1, 2, 3], ids


def rate_limits():
    limit = RateLimitItemPerMinute(3)
    store = storage.RedisStorage(f"redis://127.0.0.1:{PORT}")
    for strategy in (
        strategies.FixedWindowRateLimiter,
        strategies.MovingWindowRateLimiter,
        strategies.SlidingWindowCounterRateLimiter,
    ):
        limiter = strategy(store)
        who = (strategy.__name__, "ann")
        assert limiter.test(limit, *who)
        # A fixed window may end in between; the next one does not.
        for _ in range(2):
            hits = [limiter.hit(limit, *who) for _ in range(5)]
            if hits == [True] * 3 + [False] * 2:
                break
            limiter.clear(limit, *who)
        assert hits == [True] * 3 + [False] * 2, (strategy, hits)
        stats = limiter.get_window_stats(limit, *who)
        assert stats.reset_time > time.time() - 1 and 0 <= stats.remaining <= 3
        limiter.clear(limit, *who)
        assert limiter.hit(limit, *who)
    # Its script is the one that looks for keys by a pattern.
    try:
        assert store.reset() > 0 and FLAGS
    except ResponseError as error:
        assert not FLAGS and "without the flag allow-undeclared-keys" in str(error)


def queue():
    """Dramatiq: one script for everything, which makes up its keys from a namespace."""
    logging.getLogger("dramatiq").setLevel(logging.CRITICAL)
    broker = RedisBroker(url=f"redis://127.0.0.1:{PORT}", namespace="dramatiq" if FLAGS else "{dramatiq}", heartbeat_timeout=60_000,
                         maintenance_chance=1_000_000)
    dramatiq.set_broker(broker)
    done, lock = [], threading.Lock()

    @dramatiq.actor(max_retries=1, min_backoff=50, max_backoff=50)
    def work(n):
        with lock:
            done.append(n)
        if n == 7 and done.count(7) == 1:
            raise ValueError("not the first time")

    worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=2)
    worker.start()
    for n in range(20):
        work.send(n)
    work.send_with_options(args=(99,), delay=200)
    deadline = time.time() + 20
    while len(done) < 22 and time.time() < deadline:
        broker.join(work.queue_name, timeout=20_000)
    worker.stop()
    assert sorted(done) == sorted([*range(20), 7, 99]), sorted(done)
    broker.flush_all()


POP_DUE = """
local moved = 0
for _, job in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])) do
  if redis.call('ZREM', KEYS[1], job) == 1 then
    local at = cjson.decode(job)
    redis.call('SADD', KEYS[2], at.queue)
    redis.call('LPUSH', KEYS[3] .. at.queue, job)
    moved = moved + 1
  end
end
return moved
"""


def scheduled_sets():
    """What Sidekiq does: jobs wait in a sorted set and are popped into the lists from which workers take them."""
    poll = r.register_script(POP_DUE)
    keys = ["{q}:schedule", "{q}:queues", "{q}:queue:"]
    now = time.time()
    jobs = {f'{{"queue":"q{n % 3}","args":[{n}]}}': now + n - 50 for n in range(100)}
    r.zadd(keys[0], jobs)
    taken, lock = [], threading.Lock()

    def work(name):
        own = redis.Redis(port=PORT)
        while item := own.brpop([f"{keys[2]}{name}"], timeout=20):
            if item[1] == b"stop":
                return
            with lock:
                taken.append(item[1])

    workers = [threading.Thread(target=work, args=(f"q{n % 3}",)) for n in range(6)]
    pollers = [threading.Thread(target=poll, args=(keys, [now, 10])) for _ in range(8)]
    for thread in workers + pollers:
        thread.start()
    for thread in pollers:
        thread.join()
    assert r.smembers(keys[1]) == {b"q0", b"q1", b"q2"}
    for name in ("q0", "q1", "q2"):
        # Behind the jobs, one for each of the queue's workers.
        r.lpush(f"{keys[2]}{name}", "stop", "stop")
    for thread in workers:
        thread.join()
    # Each job that was due is taken by one worker, and no other is.
    assert sorted(taken) == sorted(job.encode() for job, at in jobs.items() if at <= now)
    assert r.zcard(keys[0]) == 49


locks()
registered_scripts()
redlock()
rate_limits()
queue()
scheduled_sets()
print("ok")
