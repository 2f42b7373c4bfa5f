// node-redis against a server: `node node_redis.mjs PORT standalone|cluster [RESP]`
import assert from "node:assert/strict";
import { createClient, createCluster, defineScript } from "redis";

const [port, mode, resp] = process.argv.slice(2);
const url = `redis://127.0.0.1:${port}`;
// What the server does not have yet.
const notYet = new Set((process.env.MOONSHARD_NOT_YET ?? "").split(","));
const RESP = resp === "3" ? 3 : 2;

const addOrSet = `
local current = redis.call('GET', KEYS[1])
if current then
  return redis.call('INCRBY', KEYS[1], ARGV[1])
end
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])`;

const scripts = {
  addOrSet: defineScript({
    SCRIPT: addOrSet,
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key, by) {
      parser.pushKey(key);
      parser.push(by.toString());
    },
    transformReply: (reply) => reply,
  }),
};

async function basics(client) {
  assert.equal(await client.set("node:a", "1"), "OK");
  assert.equal(await client.get("node:a"), "1");
  assert.equal(await client.get("node:missing"), null);
  assert.equal(await client.set("node:a", "2", { NX: true }), null);
  assert.equal(await client.incrBy("node:n", 41), 41);
  assert.equal(await client.incr("node:n"), 42);
  assert.equal(await client.hSet("node:h", { f: "v", g: "w" }), 2);
  assert.deepEqual({ ...(await client.hGetAll("node:h")) }, { f: "v", g: "w" });
  assert.equal(await client.rPush("node:l", ["a", "b", "c"]), 3);
  assert.deepEqual(await client.lRange("node:l", 0, -1), ["a", "b", "c"]);
  assert.equal(await client.sAdd("node:s", ["x", "y"]), 2);
  assert.deepEqual([...(await client.sMembers("node:s"))].sort(), ["x", "y"]);
  assert.equal(await client.zAdd("node:z", [{ score: 1.5, value: "m" }, { score: 2, value: "n" }]), 2);
  assert.equal(await client.zScore("node:z", "m"), 1.5);
  assert.deepEqual(await client.zRangeWithScores("node:z", 0, -1), [
    { value: "m", score: 1.5 },
    { value: "n", score: 2 },
  ]);
  assert.equal(await client.expire("node:a", 100), 1);
  const ttl = await client.ttl("node:a");
  assert.ok(ttl > 90 && ttl <= 100, `ttl ${ttl}`);
  const many = Array.from({ length: 500 }, (_, i) => client.set(`node:many:${i}`, `${i}`));
  assert.ok((await Promise.all(many)).every((reply) => reply === "OK"));
  const values = await Promise.all(Array.from({ length: 500 }, (_, i) => client.get(`node:many:${i}`)));
  assert.deepEqual(values, Array.from({ length: 500 }, (_, i) => `${i}`));
  const bytes = Buffer.from([0, 255, 13, 10]);
  await client.set("node:bytes", bytes);
  assert.equal(await client.strLen("node:bytes"), 4);
  await assert.rejects(client.lPush("node:n", "x"), /WRONGTYPE/);
}

async function scripted(client) {
  assert.equal(await client.addOrSet("node:counter", 5), 5);
  assert.equal(await client.addOrSet("node:counter", 5), 10);
  assert.equal(await client.eval("return {KEYS[1], ARGV[1]}", { keys: ["k"], arguments: ["a"] }).then(String), "k,a");
}

async function standalone() {
  const client = createClient({ url, RESP, scripts });
  await client.connect();
  await basics(client);
  await scripted(client);
  const sha = await client.scriptLoad(addOrSet);
  const options = { keys: ["node:by-sha"], arguments: ["5"] };
  assert.equal(await client.evalSha(sha, options), 5);
  assert.equal(await client.evalSha(sha, options), 10);
  await assert.rejects(client.evalSha("f".repeat(40), options), /NOSCRIPT/);
  if (!notYet.has("multi")) {
    const replies = await client.multi().set("node:m", "1").incr("node:m").get("node:m").exec();
    assert.deepEqual(replies, ["OK", 2, "2"]);
  }
  const found = [];
  for await (const keys of client.scanIterator({ MATCH: "node:many:*", COUNT: 50 })) found.push(...[keys].flat());
  assert.equal(new Set(found).size, 500);
  await client.close();
}

async function cluster() {
  const client = createCluster({ rootNodes: [{ url }], defaults: { RESP }, scripts });
  await client.connect();
  await basics(client);
  await scripted(client);
  await assert.rejects(client.mGet(["{a}1", "{b}1"]), /CROSSSLOT/);
  await client.close();
}

await (mode === "cluster" ? cluster() : standalone());
console.log("ok");
