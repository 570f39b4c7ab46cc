// `npm test`: the quick answer. `npm run test:all`: everything, which is what CI runs. Both run lanes, two at a time, add
// up what these counted, and end with one line: N passed, N failed[, N skipped]. Lanes can be named:
// `npm test -- unit gpu`, `npm run test:all -- mesa`. README.md here says what is in which.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { findChromium } from './chromium.mjs';
import { findFirefox } from './firefox.mjs';
import { findMesa } from './mesa.mjs';
import { installPackages } from './packages.mjs';

/**
 * What a lane counted.
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

const root = resolve(import.meta.dirname, '..');
/** One JSON report for each lane of the last run: where its time went. */
const reports = join(root, 'node_modules/.cache/atomoe-tests');

/** Everything, or what is not tagged `full`. */
const isAll = process.argv.includes('--all');

/** A lane that takes longer than this hangs: it is stopped and counts as failed. */
const laneTimeoutMs = 45 * 60_000;

/**
 * Runs a program; its lines appear with the lane's name before them. Resolves to its exit code, 124 when it had to be
 * stopped.
 * @param {string} lane
 * @param {string[]} args for Node
 * @param {Record<string, string>} [env]
 * @param {(line: string) => void} [onLine] hears what it writes to stdout
 * @returns {Promise<number>}
 */
async function node(lane, args, env = {}, onLine = () => {}) {
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
    print(lane, child.stdout, onLine),
    print(lane, child.stderr),
  ]);
  clearTimeout(timer);
  return isStopped ? 124 : code;
}

/**
 * @param {string} lane
 * @param {import('node:stream').Readable} stream
 * @param {(line: string) => void} [onLine]
 */
async function print(lane, stream, onLine = () => {}) {
  for await (const line of createInterface({ input: stream })) {
    console.log(`[${lane}] ${line}`);
    onLine(line);
  }
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
 * A lane that broke without a failing test (no report, a crash, an unhandled error), or ran none, is one failure, never a
 * pass.
 * @param {number} exitCode
 * @param {Counts | undefined} counts
 * @returns {Counts}
 */
function settle(exitCode, counts) {
  if (counts === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const isEmpty = counts.passed + counts.failed === 0;
  return (exitCode !== 0 || isEmpty) && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/**
 * @param {string} project
 * @param {{ args?: string[], env?: Record<string, string> }} [options]
 */
async function vitestLane(project, { args = [], env = {} } = {}) {
  const report = join(reports, `${project}.json`);
  const quick = isAll ? [] : ['--tagsFilter=!full'];
  const exitCode = await node(
    project,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      project,
      ...quick,
      ...args,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    { ATOMOE_TESTS: isAll ? 'all' : 'quick', ...env },
  );
  const result = readReport(report);
  for (const line of result ? slowestFiles(result) : []) console.log(`[${project}] ${line}`);
  for (const file of result?.testResults ?? []) {
    const name = relative(root, file.name);
    if (file.status === 'failed' && file.assertionResults.length === 0)
      keepFailure(project, name, file.message);
    for (const { status, fullName, failureMessages } of file.assertionResults)
      if (status === 'failed') keepFailure(project, `${name}: ${fullName}`, failureMessages[0]);
  }
  return settle(exitCode, result && countVitest(result));
}

/** What failed in any lane, to be said once more at the end. @type {string[]} */
const failures = [];

/** Of a failure's message. */
const MESSAGE_LINES = 8;

/** Keeps a failed test for the end. @param {string} lane @param {string} name @param {string} [message] */
function keepFailure(lane, name, message = '') {
  const lines = message.trim().split('\n').slice(0, MESSAGE_LINES);
  failures.push([`[${lane}] ${name}`, ...lines.map((line) => `    ${line}`)].join('\n'));
}

const SHOWN = 5;

/**
 * Where a lane's time went.
 * @param {any} result Vitest's JSON report
 * @returns {string[]}
 */
function slowestFiles({ testResults }) {
  const files = testResults.map((/** @type {any} */ { name, startTime, endTime }) => ({
    name: relative(root, name),
    seconds: (endTime - startTime) / 1000,
  }));
  files.sort((/** @type {any} */ a, /** @type {any} */ b) => b.seconds - a.seconds);
  return files
    .slice(0, SHOWN)
    .map((/** @type {any} */ { name, seconds }) => `${seconds.toFixed(1).padStart(6)} s ${name}`);
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

/**
 * Only what needs shader-f16 and subgroups; the rest of these files runs elsewhere, so what is filtered out counts for
 * nothing. Where no driver can be had the lane is skipped, except in CI.
 */
async function mesaLane() {
  const isCi = Boolean(process.env['CI']);
  const mesa = findMesa({ fetch: isCi });
  if ('path' in mesa) {
    // A kernel without f16 activations has no test here.
    const counts = await vitestLane('mesa', { args: ['-t', MESA_TESTS, '--passWithNoTests'] });
    console.log(`[mesa] ${executedVariants()} variants of kernels with f16 activations and subgroups ran`);
    return { ...counts, skipped: 0 };
  }
  console.error(isCi ? mesa.missing : `skipped: ${mesa.missing}`);
  return { passed: 0, failed: isCi ? 1 : 0, skipped: isCi ? 0 : 1 };
}

/** Variants of kernels with f16 activations, and models in f16. */
const MESA_TESTS = '/f16| in f16 ';

/** Tests are named after the variant that they run. */
function executedVariants() {
  const files = readReport(join(reports, 'mesa.json'))?.testResults ?? [];
  const passed = files
    .flatMap((/** @type {any} */ file) => file.assertionResults)
    .filter((/** @type {any} */ { status }) => status === 'passed');
  const names = passed.map((/** @type {any} */ { fullName }) => /\S+\/f16[^\s:]*/.exec(fullName)?.[0]);
  return new Set(names.filter(Boolean)).size;
}

async function endToEndLane() {
  const chromium = findChromium();
  if ('missing' in chromium) {
    console.error(chromium.missing);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const report = join(reports, 'e2e.json');
  const quick = isAll ? [] : ['--grep', '@quick'];
  const exitCode = await node(
    'e2e',
    [
      'node_modules/playwright/cli.js',
      'test',
      '-c',
      'e2e/playwright.config.ts',
      '--reporter=list,json',
      ...quick,
    ],
    { PLAYWRIGHT_JSON_OUTPUT_FILE: report },
  );
  const result = readReport(report);
  for (const { title, errors } of failedSpecs(result?.suites ?? [])) keepFailure('e2e', title, errors[0]);
  const stats = result?.stats;
  // A flaky test passed only on a second try: here there are no second tries, so it cannot occur.
  return settle(
    exitCode,
    stats && { passed: stats.expected, failed: stats.unexpected + stats.flaky, skipped: stats.skipped },
  );
}

/**
 * The tests that failed, of Playwright's suites within suites.
 * @param {any[]} suites
 * @returns {{ title: string, errors: string[] }[]}
 */
function failedSpecs(suites) {
  return suites.flatMap(({ suites: inner = [], specs = [] }) => [
    ...specs
      .filter((/** @type {any} */ { ok }) => !ok)
      .map((/** @type {any} */ { file, line, title, tests }) => ({
        title: `e2e/${file}:${line} ${title}`,
        errors: tests
          .flatMap((/** @type {any} */ { results }) => results)
          .flatMap((/** @type {any} */ { errors }) => errors)
          .map((/** @type {any} */ { message }) => message),
      })),
    ...failedSpecs(inner),
  ]);
}

/** Damaged models and files: each case is one typed error or a reply. The program ends as this one does. */
async function fuzzLane() {
  /** @type {string[]} */
  const lines = [];
  const exitCode = await node('fuzz', ['scripts/fuzz.mjs', '2000'], {}, (line) => lines.push(line));
  const [, passed, failed] = /^(\d+) passed, (\d+) failed/.exec(lines.at(-1) ?? '') ?? [];
  return settle(
    exitCode,
    passed === undefined ? undefined : { passed: Number(passed), failed: Number(failed), skipped: 0 },
  );
}

/** The WebAssembly that is committed is what its sources compile to. */
async function simdLane() {
  const exitCode = await node('simd', ['simd/build.mjs', '--check']);
  return { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 };
}

/** @type {Record<string, () => Promise<Counts>>} */
const lanes = {
  unit: () => vitestLane('unit'),
  gpu: () => chromiumLane('gpu'),
  e2e: endToEndLane,
  fuzz: fuzzLane,
  firefox: firefoxLane,
  hardware: () => vitestLane('hardware'),
  mesa: mesaLane,
  simd: simdLane,
  slow: () => vitestLane('slow'),
};

/**
 * Who begins first: two lanes run at a time, since one alone leaves one of two cores idle half of the time, and the
 * longest come first, so that both ends come together.
 */
const quickLanes = ['gpu', 'unit', 'e2e', 'hardware', 'fuzz'];
const allLanes = ['e2e', 'gpu', 'slow', 'mesa', 'firefox', 'hardware', 'unit', 'fuzz', 'simd'];

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

/**
 * The lanes to run, in order.
 * @throws {Error} where there is no lane of that name
 */
function chosenLanes() {
  const named = process.argv.slice(2).filter((argument) => argument !== '--all');
  const unknown = named.filter((name) => !(name in lanes));
  if (unknown.length > 0) {
    throw new Error(`no lane is called ${unknown.join(', ')}; there are ${Object.keys(lanes).join(', ')}`);
  }
  if (named.length > 0) return allLanes.filter((name) => named.includes(name));
  return isAll ? allLanes : quickLanes;
}

async function main() {
  const waiting = chosenLanes();
  const start = performance.now();
  // A test that lacks its package fails and says so.
  if (isAll) installPackages();
  /** @type {(Counts & { line: string })[]} */
  const done = [];
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      done.push(await runLane(name));
  };
  await Promise.all([worker(), worker()]);
  const total = { passed: 0, failed: 0, skipped: 0 };
  console.log('');
  if (failures.length > 0) console.log(`${failures.join('\n')}\n`);
  for (const { line, ...counts } of done) {
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

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
await main();
