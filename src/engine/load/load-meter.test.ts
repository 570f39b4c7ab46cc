/** Loads as they were recorded in Chromium (`fixtures/loads`), told again by their own clocks. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LoadProgress } from '../api.ts';
import { LoadMeter } from './load-meter.ts';
import type { LoadStatus } from './load-status.ts';

type Heard = LoadProgress & { readonly atMs: number };
type Told = LoadStatus & { readonly atMs: number };

const recorded = (name: string): Heard[] =>
  JSON.parse(readFileSync(resolve(import.meta.dirname, `../../../fixtures/loads/${name}.json`), 'utf8'));

const NAMES = ['gpu-whole', 'gpu-streamed', 'cpu-whole'] as const;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What the meter says, with the time of each word. */
function play(events: readonly Heard[]): Told[] {
  const told: Told[] = [];
  let nowMs = 0;
  const meter = new LoadMeter(
    () => nowMs,
    (status) => told.push({ ...status, atMs: nowMs }),
  );
  for (const { atMs, ...progress } of events) {
    const waitedMs = atMs - nowMs;
    vi.advanceTimersByTime(waitedMs);
    nowMs = atMs;
    meter.hear(progress);
  }
  meter.end();
  return told;
}

/** A download of equal parts, one every so many milliseconds. */
function steady(parts: number, partBytes: number, everyMs: number): Heard[] {
  return Array.from({ length: parts + 1 }, (_, index) => ({
    atMs: index * everyMs,
    kind: 'downloading',
    doneBytes: index * partBytes,
    totalBytes: parts * partBytes,
    modelBytes: parts * partBytes,
    file: 'm',
  }));
}

const shift = (events: readonly Heard[], byMs: number): Heard[] =>
  events.map((event) => ({ ...event, atMs: event.atMs + byMs }));

describe.each(NAMES)('%s', (name) => {
  test('has the phases that it is recorded for', () => {
    const kinds = new Set(recorded(name).map(({ kind }) => kind));
    const wanted = name === 'cpu-whole' ? ['downloading', 'ready'] : ['downloading', 'compiling', 'ready'];
    expect([...kinds]).toEqual(expect.arrayContaining(wanted));
  });

  test('bytes and fraction never go back, over all phases, and end at all', () => {
    const told = play(recorded(name));
    const fractions = told.flatMap(({ fraction }) => fraction ?? []);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    const bytes = told.map(({ doneBytes }) => doneBytes);
    expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
    const last = told.at(-1);
    expect(last).toMatchObject({ phase: 'ready', fraction: 1, doneBytes: last?.totalBytes });
    const full = told.filter(({ fraction }) => fraction === 1); // not before all is compiled
    expect(
      full.every(({ phase, doneSteps, totalSteps }) => phase === 'ready' || doneSteps === totalSteps),
    ).toBe(true);
    const lost = told.findIndex(({ fraction }) => fraction !== undefined);
    expect(told.slice(lost).every(({ fraction }) => fraction !== undefined)).toBe(true);
  });

  test('every estimate is right within a factor of two', () => {
    const told = play(recorded(name));
    const doneAtMs = told.findLast(({ phase }) => phase === 'downloading')?.atMs ?? 0;
    const otherMs = (from: number): number => otherWork(told, from);
    const estimates = told.filter(({ secondsLeft }) => secondsLeft !== undefined);
    for (const { secondsLeft = 0, atMs } of estimates) {
      const realSeconds = (doneAtMs - atMs - otherMs(atMs)) / 1000;
      if (realSeconds < 2) continue; // too little left to be said
      expect(secondsLeft / realSeconds).toBeGreaterThan(0.5);
      expect(secondsLeft / realSeconds).toBeLessThan(2);
    }
    // A start that fetches little is over before one would be honest.
    if (name === 'gpu-streamed') expect(estimates).toEqual([]);
    else expect(estimates.length).toBeGreaterThan(3);
  });
});

/** How long something else than the download is done after this. */
function otherWork(told: readonly Told[], fromMs: number): number {
  return told.reduce((sum, { atMs, phase }, index) => {
    const next = told[index + 1];
    return phase !== 'downloading' && next && atMs >= fromMs ? sum + next.atMs - atMs : sum;
  }, 0);
}

test('no estimate before there is enough: time and reports', () => {
  const told = play(steady(100, 1e5, 100));
  const first = told.find(({ secondsLeft }) => secondsLeft !== undefined);
  expect(first?.atMs).toBe(2000);
  expect(first?.secondsLeft).toBeCloseTo(8);
  expect(first?.bytesPerSecond).toBeCloseTo(1e6);
  const rare = play(steady(20, 1e6, 1000));
  expect(rare.find(({ secondsLeft }) => secondsLeft !== undefined)?.atMs).toBe(4000); // the fifth report
});

test('none while the line changes, and one again when it is steady', () => {
  const fast = steady(40, 4e5, 100);
  const slow = steady(200, 1e5, 100).map((event) => ({
    ...event,
    doneBytes: (event as { doneBytes: number }).doneBytes + 40 * 4e5,
  }));
  const totals = { totalBytes: 40 * 4e5 + 200 * 1e5, modelBytes: 40 * 4e5 + 200 * 1e5 };
  const events = [...fast, ...shift(slow.slice(1), 4000)].map((event) => ({ ...event, ...totals }) as Heard);
  const told = play(events);
  const said = (fromMs: number, toMs: number) =>
    told.filter(({ atMs, secondsLeft }) => atMs > fromMs && atMs <= toMs && secondsLeft !== undefined).length;
  expect(said(2500, 4000)).toBeGreaterThan(10);
  expect(said(5500, 7000)).toBe(0);
  expect(said(9000, 15_000)).toBeGreaterThan(50);
});

test('what else is done takes no part in the rate', () => {
  const events = steady(100, 1e5, 100);
  const timed: Heard[] = [
    ...events.slice(0, 51),
    { atMs: 5050, kind: 'tuning', doneKernels: 0, totalKernels: 3 },
    ...shift(events.slice(51), 30_000),
  ];
  const told = play(timed);
  const after = told.find(({ atMs, phase }) => atMs > 30_000 && phase === 'downloading');
  expect(after?.bytesPerSecond).toBeGreaterThan(0.9e6);
  expect(told.find(({ phase }) => phase === 'tuning')).toMatchObject({
    doneBytes: 50 * 1e5,
    totalSteps: 3,
    secondsLeft: undefined,
    bytesPerSecond: undefined,
  });
});

test('an attempt that begins anew counts what it reads again', () => {
  const first = steady(10, 1e6, 100).slice(0, 6);
  const told = play([...first, ...shift(steady(4, 1e6, 100), 600), { atMs: 1100, kind: 'ready' }]);
  const bytes = told.map(({ doneBytes }) => doneBytes);
  expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
  expect(told.at(-1)).toMatchObject({ doneBytes: 9e6, totalBytes: 9e6, fraction: 1 });
});

test('silence is said, later where reports are rare, and ends with the load', () => {
  const spoken = (events: readonly Heard[], forMs: number): Told[] => {
    const told: Told[] = [];
    let nowMs = 0;
    const meter = new LoadMeter(
      () => nowMs,
      (status) => told.push({ ...status, atMs: nowMs }),
    );
    for (const { atMs, ...progress } of events) {
      vi.advanceTimersByTime(atMs - nowMs);
      nowMs = atMs;
      meter.hear(progress);
    }
    vi.advanceTimersByTime(forMs);
    meter.end();
    vi.advanceTimersByTime(60_000);
    return told.filter(({ bytesPerSecond }) => bytesPerSecond === 0);
  };
  const some = steady(100, 1e5, 100).slice(0, 40);
  expect(spoken(some, 1900)).toHaveLength(0);
  expect(spoken(some, 2100)).toMatchObject([{ doneBytes: 39e5, secondsLeft: undefined }]);
  const rare = steady(100, 1e6, 1500).slice(0, 10);
  expect(spoken(rare, 4400)).toHaveLength(0);
  expect(spoken(rare, 4600)).toHaveLength(1);
});
