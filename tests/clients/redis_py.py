"""redis-py against a server: `python redis_py.py PORT standalone|cluster [RESP]`"""

import os
import sys
import threading

import redis
from redis.cluster import ClusterNode, RedisCluster

PORT, MODE = int(sys.argv[1]), sys.argv[2]
PROTOCOL = int(sys.argv[3]) if len(sys.argv) > 3 else 2

# What the server does not have yet.
NOT_YET = os.environ.get("MOONSHARD_NOT_YET", "").split(",")

ADD_OR_SET = """
local current = redis.call('GET', KEYS[1])
if current then
  return redis.call('INCRBY', KEYS[1], ARGV[1])
end
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])
"""


def connect():
    if MODE == "cluster":
        return RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", PORT)], protocol=PROTOCOL)
    return redis.Redis(port=PORT, protocol=PROTOCOL)


def basics(r):
    assert r.ping()
    assert r.set("py:a", "1") is True
    assert r.get("py:a") == b"1"
    assert r.get("py:missing") is None
    assert r.set("py:a", "2", nx=True) is None
    assert r.set("py:a", "2", get=True) == b"1"
    assert r.incrby("py:n", 5) == 5
    assert r.hset("py:h", mapping={"f": "v", "g": "w"}) == 2
    assert r.hgetall("py:h") == {b"f": b"v", b"g": b"w"}
    assert r.rpush("py:l", "a", "b") == 2
    assert r.lrange("py:l", 0, -1) == [b"a", b"b"]
    assert r.sadd("py:s", "x", "y") == 2
    assert set(r.smembers("py:s")) == {b"x", b"y"}
    assert r.zadd("py:z", {"m": 1.5, "n": 2}) == 2
    assert r.zscore("py:z", "m") == 1.5
    assert [tuple(pair) for pair in r.zrange("py:z", 0, -1, withscores=True)] == [(b"m", 1.5), (b"n", 2.0)]
    assert r.expire("py:a", 100)
    assert 90 < r.ttl("py:a") <= 100
    try:
        r.lpush("py:n", "x")
        raise AssertionError("no WRONGTYPE")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error), error


def pipelines(r):
    pipe = r.pipeline(transaction=False) if MODE != "cluster" else r.pipeline()
    for i in range(300):
        pipe.set(f"py:pipe:{i}", i)
        pipe.get(f"py:pipe:{i}")
    replies = pipe.execute()
    assert replies[1::2] == [str(i).encode() for i in range(300)]
    assert len(set(r.scan_iter("py:pipe:*", count=20))) == 300


def scripts(r):
    add_or_set = r.register_script(ADD_OR_SET)
    assert add_or_set(keys=["py:counter"], args=[5]) == 5
    assert add_or_set(keys=["py:counter"], args=[5]) == 10
    r.script_flush()
    assert add_or_set(keys=["py:counter"], args=[5]) == 15
    assert r.eval("return {KEYS[1], ARGV[1]}", 1, "k", "a") == [b"k", b"a"]


def locks(r):
    """The lock's release and extension are scripts; with it, a read and a write apart lose no update."""
    r.set("py:shared", 0)

    def add():
        own = connect()
        for _ in range(20):
            with own.lock("py:lock", timeout=10, sleep=0.001):
                own.set("py:shared", int(own.get("py:shared")) + 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert r.get("py:shared") == b"80", r.get("py:shared")
    lock = r.lock("py:lock2", timeout=10)
    assert lock.acquire()
    assert lock.extend(10)
    assert lock.reacquire()
    lock.release()
    try:
        lock.release()
        raise AssertionError("released twice")
    except redis.exceptions.LockError:
        pass


def transactions(r):
    pipe = r.pipeline(transaction=True)
    assert pipe.set("py:t", 1).incr("py:t").get("py:t").execute() == [True, 2, b"2"]

    def double(pipe):
        value = int(pipe.get("py:t"))
        pipe.multi()
        pipe.set("py:t", value * 2)

    r.transaction(double, "py:t")
    assert r.get("py:t") == b"4"


client = connect()
basics(client)
pipelines(client)
scripts(client)
locks(client)
if MODE != "cluster" and "multi" not in NOT_YET:
    transactions(client)
client.close()
print("ok")
