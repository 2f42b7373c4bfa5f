// Libraries that consist of their scripts: `node scripts.mjs PORT standalone|cluster`
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import express from "express";
import { rateLimit } from "express-rate-limit";
import Redis from "ioredis";
import { RedisStore } from "rate-limit-redis";
import { BurstyRateLimiter, RateLimiterRedis } from "rate-limiter-flexible";
import { createClient, createCluster, defineScript } from "redis";
import Redlock from "redlock";

const [port, mode] = process.argv.slice(2);
const cluster = mode === "cluster";
const node = { host: "127.0.0.1", port: Number(port) };
const client = cluster ? new Redis.Cluster([node]) : new Redis(node);

async function locks() {
  const redlock = new Redlock([client], { retryCount: 0 });
  const lock = await redlock.lock("lock:{r}:one", 20_000);
  await assert.rejects(redlock.lock("lock:{r}:one", 20_000), { name: "LockError" });
  await lock.extend(50_000);
  assert.ok((await client.pttl("lock:{r}:one")) > 20_000);
  await lock.unlock();
  assert.equal(await client.exists("lock:{r}:one"), 0);
  // Several at once are one script with several keys.
  const both = await redlock.lock(["lock:{r}:one", "lock:{r}:two"], 20_000);
  await assert.rejects(redlock.lock("lock:{r}:two", 20_000), { name: "LockError" });
  await both.unlock();
  await assert.rejects(both.unlock(), { name: "LockError" });

  const patient = new Redlock([client], { retryCount: 1_000, retryDelay: 5, retryJitter: 5 });
  let inside = 0;
  await Promise.all(Array.from({ length: 5 }, async () => {
    const lock = await patient.lock("lock:crowd", 50_000);
    assert.equal(++inside, 1);
    await new Promise((done) => setImmediate(done));
    inside--;
    await lock.unlock();
  }));
}

async function flexible() {
  const limiter = new RateLimiterRedis({ storeClient: client, keyPrefix: "flexible", points: 3, duration: 60 });
  for (let left = 2; left >= 0; left--) assert.equal((await limiter.consume("ann")).remainingPoints, left);
  const refusal = await limiter.consume("ann").then(() => null, (refusal) => refusal);
  assert.equal(refusal.remainingPoints, 0);
  assert.ok(refusal.msBeforeNext > 0 && refusal.msBeforeNext <= 60_000);
  assert.equal((await limiter.consume("bob", 2)).remainingPoints, 1);
  await limiter.reward("ann", 2);
  assert.equal((await limiter.get("ann")).consumedPoints, 2);

  const blocking = new RateLimiterRedis({
    storeClient: client, keyPrefix: "blocking", points: 1, duration: 60, blockDuration: 600,
  });
  await blocking.consume("ann");
  const blocked = await blocking.consume("ann").then(() => null, (refusal) => refusal);
  assert.ok(blocked.msBeforeNext > 60_000);

  const burst = new BurstyRateLimiter(
    new RateLimiterRedis({ storeClient: client, keyPrefix: "steady", points: 1, duration: 60 }),
    new RateLimiterRedis({ storeClient: client, keyPrefix: "burst", points: 2, duration: 60 }),
  );
  for (let i = 0; i < 3; i++) await burst.consume("ann");
  await assert.rejects(burst.consume("ann"));
}

// The key of a command decides the node.
function sendCommand(...args) {
  if (!cluster) return client.call(...args);
  return client.call(args[0], ...args.slice(1));
}

async function middleware() {
  const app = express();
  const store = new RedisStore({ sendCommand, prefix: "rate:" });
  app.use(rateLimit({ windowMs: 60_000, limit: 3, standardHeaders: "draft-7", legacyHeaders: false, store }));
  app.get("/", (_, response) => response.send("hello"));
  const server = http.createServer(app).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/`;
  const statuses = [];
  for (let i = 0; i < 5; i++) {
    const response = await fetch(url, { headers: { connection: "close" } });
    statuses.push(response.status);
    if (i === 1) assert.match(response.headers.get("ratelimit"), /^limit=3, remaining=1, reset=\d+$/);
    await response.text();
  }
  assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
  server.close();
}

async function definedCommands() {
  client.defineCommand("popLater", {
    numberOfKeys: 2,
    lua: `
      local due = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 100)
      for _, job in ipairs(due) do
        redis.call('ZREM', KEYS[1], job)
        redis.call('LPUSH', KEYS[2], job)
      end
      return due`,
  });
  await client.zadd("{d}:later", 1, "a", 2, "b", 9, "c");
  assert.deepEqual(await client.popLater("{d}:later", "{d}:now", 5), ["a", "b"]);
  assert.deepEqual(await client.popLaterBuffer("{d}:later", "{d}:now", 9), [Buffer.from("c")]);
  await assert.rejects(client.popLater("later", "now", 5), /CROSSSLOT|same slot|slot/);
  const pipeline = client.pipeline();
  for (let i = 0; i < 50; i++) pipeline.popLater("{d}:later", "{d}:now", i);
  assert.deepEqual((await pipeline.exec()).map(([error]) => error), Array(50).fill(null));
  if (!cluster) await client.script("FLUSH");
  // Whoever has the script's digest only is told so, and sends the script.
  assert.deepEqual(await client.popLater("{d}:later", "{d}:now", 5), []);
  assert.deepEqual(await client.lrange("{d}:now", 0, -1), ["c", "b", "a"]);
}

async function nodeRedisScripts() {
  const scripts = {
    raise: defineScript({
      NUMBER_OF_KEYS: 1,
      SCRIPT: "local n = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(ARGV[1])) redis.call('SET', KEYS[1], n) return n",
      parseCommand(parser, key, n) {
        parser.pushKey(key);
        parser.push(n.toString());
      },
      transformReply: (reply) => reply,
    }),
  };
  const url = `redis://127.0.0.1:${port}`;
  const other = cluster ? createCluster({ rootNodes: [{ url }], scripts }) : createClient({ url, scripts });
  await other.connect();
  assert.equal(await other.raise("highest", 5), 5);
  assert.equal(await other.raise("highest", 3), 5);
  assert.deepEqual(await other.multi().raise("highest", 7).get("highest").exec(), [7, "7"]);
  await other.close();
}

await locks();
await flexible();
await middleware();
await definedCommands();
await nodeRedisScripts();
await client.quit();
console.log("ok");
