// ioredis against a server: `node ioredis.mjs PORT standalone|cluster`
import assert from "node:assert/strict";
import Redis from "ioredis";

const [port, mode] = process.argv.slice(2);
// What the server does not have yet.
const notYet = new Set((process.env.MOONSHARD_NOT_YET ?? "").split(","));
const cluster = mode === "cluster";
const node = { host: "127.0.0.1", port: Number(port) };
const client = cluster ? new Redis.Cluster([node]) : new Redis(node);

client.defineCommand("takeToken", {
  numberOfKeys: 1,
  lua: `
    local left = tonumber(redis.call('GET', KEYS[1]) or ARGV[1])
    if left == 0 then return redis.error_reply('EMPTY no tokens left') end
    redis.call('SET', KEYS[1], left - 1, 'EX', ARGV[2])
    return left - 1`,
});

assert.equal(await client.set("io:a", "1"), "OK");
assert.equal(await client.get("io:a"), "1");
assert.equal(await client.get("io:missing"), null);
assert.equal(await client.hset("io:h", { f: 1, g: 2 }), 2);
assert.deepEqual(await client.hgetall("io:h"), { f: "1", g: "2" });
assert.deepEqual((await client.getBuffer("io:a")), Buffer.from("1"));

assert.equal(await client.takeToken("io:tokens", 2, 100), 1);
assert.equal(await client.takeToken("io:tokens", 2, 100), 0);
await assert.rejects(client.takeToken("io:tokens", 2, 100), /EMPTY no tokens left/);

const tag = "{io}";
const pipeline = client.pipeline();
for (let i = 0; i < 200; i++) pipeline.set(`${tag}:${i}`, i).get(`${tag}:${i}`);
pipeline.lpush(`${tag}:1`, "x").takeToken(`${tag}:tokens`, 1, 100);
const replies = await pipeline.exec();
for (let i = 0; i < 200; i++) {
  assert.deepEqual(replies[2 * i], [null, "OK"]);
  assert.deepEqual(replies[2 * i + 1], [null, `${i}`]);
}
assert.match(replies[400][0].message, /WRONGTYPE/);
assert.deepEqual(replies[401], [null, 0]);

if (!notYet.has("multi")) {
  const transaction = await client.multi().incr(`${tag}:n`).incr(`${tag}:n`).exec();
  assert.deepEqual(transaction, [[null, 1], [null, 2]]);
}

const many = await Promise.all(
  Array.from({ length: 300 }, (_, i) => client.set(`io:spread:${i}`, i).then(() => client.get(`io:spread:${i}`))),
);
assert.deepEqual(many, Array.from({ length: 300 }, (_, i) => `${i}`));

if (!cluster) {
  const found = new Set();
  for await (const keys of client.scanStream({ match: "io:spread:*", count: 20 })) keys.forEach((k) => found.add(k));
  assert.equal(found.size, 300);
}
if (!cluster && !notYet.has("subscribe")) {
  const subscriber = client.duplicate();
  const heard = new Promise((resolve) => subscriber.on("message", (channel, message) => resolve([channel, message])));
  await subscriber.subscribe("io:news");
  assert.equal(await client.publish("io:news", "hello"), 1);
  assert.deepEqual(await heard, ["io:news", "hello"]);
  await subscriber.quit();
}
await client.quit();
console.log("ok");
