/** Options about how experts come and go, and what is reported about it afterwards. */
import type { StreamingOptions, StreamingReport } from '../engine/api.ts';
import type { LocalEngine } from '../engine/index.ts';
import { AtomoeError } from '../errors.ts';
import type { RouteRecorder } from '../experts/study/route-recorder.ts';
import { renumberTrace } from '../experts/study/trace.ts';
import { traceToJson } from '../experts/study/trace-json.ts';
import { writeOut } from './files.ts';
import { UsageError, type Arguments, type Options } from './arguments.ts';
import { STREAM_FLAGS } from './load-flags.ts';
import { formatBytes, formatSeconds } from './words.ts';

/** All that is about experts on their way; `cache` is about what is read from a URL. */
export const STREAM_OPTIONS = {
  ...STREAM_FLAGS,
  cache: { value: 'DIR', help: 'keep here what is read from a URL', read: (args, name) => args.path(name) },
} as const satisfies Options;

/** The reference holds every expert: options that it would ignore are refused. */
export function refuseByReference(args: Arguments): void {
  if (args.text('device') !== 'reference') return;
  const ignored = [...Object.keys(STREAM_FLAGS), 'routes'];
  const given = ignored.find((name) => args.text(name) !== undefined || args.flag(name));
  if (given === undefined) return;
  throw new UsageError(
    `--${given} has no effect on the reference, which holds every expert; wanted --device gpu or cpu with it; leave it out`,
  );
}

/** What experts did while a reply was made, behind its prompt. */
export interface StreamingFacts {
  readonly tokens: number; // that were made while something was missing
  readonly hitRate: number;
  readonly bytesPerToken: number; // to GPU memory
  readonly stallMs: number; // waiting for experts
  readonly syncMs: number; // waiting for the GPU to say which
}

/** @returns undefined where no token waited for the experts' names, since all were there */
export function streamingFacts(
  before: StreamingReport | undefined,
  after: StreamingReport | undefined,
): StreamingFacts | undefined {
  if (!before || !after || after.tokens <= before.tokens) return undefined;
  const of = (name: 'tokens' | 'hits' | 'misses' | 'uploadedBytes' | 'stallMs' | 'syncMs') =>
    after[name] - before[name];
  return {
    tokens: of('tokens'),
    hitRate: of('hits') / (of('hits') + of('misses')),
    bytesPerToken: of('uploadedBytes') / of('tokens'),
    stallMs: of('stallMs'),
    syncMs: of('syncMs'),
  };
}

/** What streaming did during a reply, in one line. */
export function describeStreaming({ hitRate, bytesPerToken, stallMs, syncMs }: StreamingFacts): string {
  const parts = [
    `${(100 * hitRate).toFixed(0)} % hits`,
    `${formatBytes(bytesPerToken)} a token`,
    `${formatSeconds(stallMs)} waiting for experts`,
    `${formatSeconds(syncMs)} for the GPU to name them`,
  ];
  return `experts: ${parts.join(' · ')}`;
}

/**
 * Makes sure that the engine says which experts every token uses: where all are at hand it does not stop to say so.
 *
 * @throws {AtomoeError} bad-input - the model has no experts, or a token uses all of a layer
 */
export async function prepareRoutes(engine: LocalEngine): Promise<void> {
  const report = await engine.streaming();
  if (!report) {
    const label = engine.model?.label ?? 'this model';
    throw new AtomoeError(
      'bad-input',
      `${label} has no experts; wanted a model with some; leave --routes out`,
    );
  }
  const { slotsPerLayer, unitsPerLayer } = report;
  const streaming: StreamingOptions = {
    fill: false,
    slotsPerLayer: Math.min(slotsPerLayer, unitsPerLayer - 1),
  };
  await engine.resize({ streaming });
}

/** Writes the routes of one prompt and its reply: what `simulate` reads. */
export async function writeRoutes(engine: LocalEngine, recorder: RouteRecorder, path: string): Promise<void> {
  const report = await engine.streaming();
  if (!report) return;
  const { layers, unitsPerLayer: units, unitBytes, slotsPerLayer, cacheRatio } = report;
  const topK = Math.round(slotsPerLayer / cacheRatio);
  const label = engine.model?.label ?? '';
  const head = { label, layers, units, topK, unitBytes: Array<number>(layers).fill(unitBytes) };
  const recorded = recorder.trace(head);
  const { original } = engine.model?.experts ?? {};
  const trace = original ? renumberTrace(recorded, original) : recorded;
  await writeOut('routes', path, `${traceToJson(trace)}\n`);
}
