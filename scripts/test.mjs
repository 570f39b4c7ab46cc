// `npm test`: runs every lane, adds up what they counted, and ends with one line: N passed, N failed[, N skipped].
// `npm test -- unit gpu` runs only the lanes named.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { findChromium } from './chromium.mjs';
import { findFirefox } from './firefox.mjs';

/**
 * What a lane counted.
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

const root = resolve(import.meta.dirname, '..');
const reports = mkdtempSync(join(tmpdir(), 'atomoe-test-'));

/** A lane that takes longer than this hangs: it is stopped and counts as failed. */
const laneTimeoutMs = 30 * 60_000;

/**
 * Runs a program; its lines appear with the lane's name before them. Resolves to its exit code, 124 when it had to be
 * stopped.
 * @param {string} lane
 * @param {string[]} args for Node
 * @param {Record<string, string>} [env]
 * @returns {Promise<number>}
 */
async function node(lane, args, env = {}) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let isStopped = false;
  const timer = setTimeout(() => {
    console.error(`[${lane}] stopped after ${laneTimeoutMs / 60_000} minutes`);
    child.kill('SIGTERM');
    isStopped = true;
  }, laneTimeoutMs);
  const [code] = await Promise.all([
    new Promise((done) => child.on('close', (status) => done(status ?? 1))),
    print(lane, child.stdout),
    print(lane, child.stderr),
  ]);
  clearTimeout(timer);
  return isStopped ? 124 : code;
}

/** @param {string} lane @param {import('node:stream').Readable} stream */
async function print(lane, stream) {
  for await (const line of createInterface({ input: stream })) console.log(`[${lane}] ${line}`);
}

/** @param {string} path */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * A lane that broke without a failing test (no report, a crash, an unhandled error) is one failure, never a pass.
 * @param {number} exitCode
 * @param {Counts | undefined} counts
 * @returns {Counts}
 */
function settle(exitCode, counts) {
  if (counts === undefined) return { passed: 0, failed: 1, skipped: 0 };
  return exitCode !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** @param {string} project */
async function vitestLane(project) {
  const report = join(reports, `${project}.json`);
  const exitCode = await node(project, [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  const result = readReport(report);
  if (result === undefined && exitCode === 0) return settle(0, { passed: 0, failed: 0, skipped: 0 });
  return settle(exitCode, result && countVitest(result));
}

/**
 * A file that could not be loaded has no tests in the report; it counts as one failure.
 * @param {any} result Vitest's JSON report
 * @returns {Counts}
 */
function countVitest(result) {
  const broken = result.testResults.filter(
    (/** @type {any} */ file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + broken,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** @param {string} project */
async function chromiumLane(project) {
  const chromium = findChromium();
  if ('path' in chromium) return vitestLane(project);
  console.error(chromium.missing);
  return { passed: 0, failed: 1, skipped: 0 };
}

/** Without Firefox this lane is skipped, except in CI, where a skip would hide a missing check. */
async function firefoxLane() {
  const isCi = Boolean(process.env['CI']);
  const firefox = findFirefox({ install: isCi });
  if ('path' in firefox) return vitestLane('firefox');
  console.error(isCi ? firefox.missing : `skipped: ${firefox.missing}`);
  return { passed: 0, failed: isCi ? 1 : 0, skipped: isCi ? 0 : 1 };
}

async function endToEndLane() {
  const specs = readdirSync(join(root, 'e2e')).filter((name) => name.endsWith('.spec.ts'));
  if (specs.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const chromium = findChromium();
  if ('missing' in chromium) {
    console.error(chromium.missing);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const report = join(reports, 'e2e.json');
  const exitCode = await node(
    'e2e',
    ['node_modules/playwright/cli.js', 'test', '-c', 'e2e/playwright.config.ts', '--reporter=list,json'],
    { PLAYWRIGHT_JSON_OUTPUT_FILE: report },
  );
  const stats = readReport(report)?.stats;
  // A flaky test passed only on a second try: here there are no second tries, so it cannot occur.
  return settle(
    exitCode,
    stats && { passed: stats.expected, failed: stats.unexpected + stats.flaky, skipped: stats.skipped },
  );
}

/** @type {Record<string, () => Promise<Counts>>} */
const lanes = {
  unit: () => vitestLane('unit'),
  gpu: () => chromiumLane('gpu'),
  firefox: firefoxLane,
  e2e: endToEndLane,
};

/** Two at a time, about equally long: a lane alone leaves one of two cores idle half of the time. */
const tracks = [
  ['unit', 'gpu'],
  ['firefox', 'e2e'],
];

/** @param {string} name @returns {Promise<Counts & { line: string }>} */
async function runLane(name) {
  console.log(`[${name}] begins`);
  const start = performance.now();
  const counts = await (lanes[name]?.() ?? Promise.reject(new Error(`no lane is called ${name}`)));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const line = `${name}: ${describe(counts)} in ${seconds} s`;
  console.log(`[${name}] ${describe(counts)}`);
  return { ...counts, line };
}

async function main() {
  const named = process.argv.slice(2);
  const unknown = named.filter((name) => !(name in lanes));
  if (unknown.length > 0) {
    throw new Error(`no lane is called ${unknown.join(', ')}; there are ${Object.keys(lanes).join(', ')}`);
  }
  const start = performance.now();
  const done = await Promise.all(
    tracks.map(async (track) => {
      const results = [];
      for (const name of track)
        if (named.length === 0 || named.includes(name)) results.push(await runLane(name));
      return results;
    }),
  );
  const total = { passed: 0, failed: 0, skipped: 0 };
  console.log('');
  for (const { line, ...counts } of done.flat()) {
    console.log(line);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  }
  console.log(`all in ${((performance.now() - start) / 1000).toFixed(1)} s\n${describe(total)}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

/** @param {Counts} counts */
function describe({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

try {
  await main();
} finally {
  rmSync(reports, { recursive: true, force: true });
}
