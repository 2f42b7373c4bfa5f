// BullMQ against a server: `node bullmq.mjs PORT PREFIX standalone|cluster`
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";
import Redis from "ioredis";

const [port, prefix, mode] = process.argv.slice(2);
const node = { host: "127.0.0.1", port: Number(port) };
const settings = { maxRetriesPerRequest: null };
const cluster = mode === "cluster" ? new Redis.Cluster([node], { redisOptions: settings }) : null;
const connection = cluster ?? { ...node, ...settings };
const options = { connection, prefix };
const open = [];
// Every job that is waited for listens to its queue.
EventEmitter.defaultMaxListeners = 50;

// Each part has a queue of its own, so a failure names the part.
function queue(name) {
  const queue = new Queue(name, options);
  // From the first event: by default those are missed that come before it has begun to listen.
  const events = new QueueEvents(name, { ...options, lastEventId: "0" });
  open.push(queue, events);
  return [queue, events];
}

function worker(name, run, more = {}) {
  const worker = new Worker(name, run, { ...options, ...more });
  worker.on("error", (error) => assert.fail(error));
  open.push(worker);
  return worker;
}

async function results(jobs, events) {
  return Promise.all(jobs.map((job) => job.waitUntilFinished(events, 100_000)));
}

async function jobs() {
  const [q, events] = queue("jobs");
  await events.waitUntilReady();
  worker("jobs", async (job) => {
    await job.updateProgress(50);
    await job.log("half");
    if (job.name === "fails" && job.attemptsMade < 1) throw new Error("not the first time");
    if (job.name === "never") throw new Error("never");
    return job.data.n * 2;
  }, { concurrency: 4 });
  const added = await q.addBulk(Array.from({ length: 20 }, (_, n) => ({ name: "double", data: { n } })));
  assert.deepEqual(await results(added, events), Array.from({ length: 20 }, (_, n) => n * 2));

  const again = await q.add("fails", { n: 4 }, { attempts: 2, backoff: { type: "fixed", delay: 20 } });
  assert.equal(await again.waitUntilFinished(events, 100_000), 8);
  const never = await q.add("never", { n: 4 });
  await assert.rejects(never.waitUntilFinished(events, 100_000), /never/);
  assert.deepEqual((await q.getJobLogs(added[0].id)).logs, ["half"]);
  assert.equal((await q.getJob(added[3].id)).returnvalue, 6);
  const counts = await q.getJobCounts();
  assert.deepEqual([counts.completed, counts.failed, counts.waiting], [21, 1, 0]);
  await q.retryJobs({ state: "failed" });
  await never.waitUntilFinished(events, 100_000).catch(() => {});
  await q.clean(0, 100, "completed");
  assert.equal(await q.getCompletedCount(), 0);
}

async function order() {
  const [q, events] = queue("order");
  await q.pause();
  const added = [];
  for (const [name, priority] of [["third", 30], ["first", 10], ["second", 20]]) {
    added.push(await q.add(name, {}, { priority }));
  }
  // An identifier that is there already adds nothing.
  added.push(await q.add("once", {}, { jobId: "one" }));
  await q.add("once", {}, { jobId: "one" });
  const seen = [];
  worker("order", async (job) => void seen.push(job.name));
  await q.resume();
  await results(added, events);
  assert.deepEqual(seen, ["once", "first", "second", "third"]);
}

async function delayed() {
  const [q, events] = queue("delayed");
  worker("delayed", async () => Date.now());
  const late = await q.add("late", {}, { delay: 500 });
  const soon = await q.add("soon", {}, { delay: 200 });
  const far = await q.add("far", {}, { delay: 3_600_000 });
  assert.equal(await far.getState(), "delayed");
  const [lateAt, soonAt] = await results([late, soon], events);
  assert.ok(soonAt - soon.timestamp >= 200, `${soonAt - soon.timestamp}`);
  assert.ok(lateAt - late.timestamp >= 500, `${lateAt - late.timestamp}`);
  await far.promote();
  await far.waitUntilFinished(events, 100_000);
}

async function repeated() {
  const [q] = queue("repeated");
  let runs = 0;
  const often = worker("repeated", async () => ++runs);
  await q.upsertJobScheduler("ticks", { every: 150 }, { name: "tick", data: { of: "clock" } });
  while (runs < 3) await once(often, "completed");
  assert.equal((await q.getJobSchedulers()).length, 1);
  assert.equal(await q.removeJobScheduler("ticks"), true);
  await q.upsertJobScheduler("nightly", { pattern: "0 3 * * *" }, { name: "night" });
  assert.equal((await q.getJobSchedulers())[0].pattern, "0 3 * * *");
  assert.equal((await q.getDelayed()).filter((job) => job.name === "night").length, 1);
}

async function flows() {
  const [q, events] = queue("parents");
  const [, childEvents] = queue("children");
  await Promise.all([events.waitUntilReady(), childEvents.waitUntilReady()]);
  worker("children", async (job) => job.data.n * job.data.n);
  worker("parents", async (job) => {
    const values = Object.values(await job.getChildrenValues());
    return values.reduce((sum, value) => sum + value, 0);
  });
  const flow = new FlowProducer(options);
  open.push(flow);
  const children = [1, 2, 3].map((n) => ({ name: "square", queueName: "children", data: { n } }));
  const tree = await flow.add({ name: "sum", queueName: "parents", children });
  assert.equal(await tree.job.waitUntilFinished(events, 100_000), 14);
  assert.equal((await tree.job.getDependenciesCount()).processed, 3);
  assert.equal((await q.getJob(tree.job.id)).returnvalue, 14);
}

async function limited() {
  const [q, events] = queue("limited");
  const at = [];
  const start = Date.now();
  const added = await q.addBulk(Array.from({ length: 5 }, () => ({ name: "slow", data: {} })));
  worker("limited", async () => void at.push(Date.now()), { limiter: { max: 2, duration: 300 }, concurrency: 5 });
  await results(added, events);
  // Two each 300 ms: the fifth begins after two whole durations at the earliest, but for what rounding takes.
  assert.ok(at[4] - start >= 590, `${at.map((time) => time - start)}`);
}

await Promise.all([jobs(), order(), delayed(), repeated(), flows(), limited()]);
for (const part of open.reverse()) await part.close();
const last = new Queue("jobs", options);
await last.obliterate({ force: true });
await last.close();
await cluster?.quit();
console.log("ok");
