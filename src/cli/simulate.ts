import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AtomoeError } from '../errors.ts';
import { isStudyPolicyName, STUDY_POLICY_NAMES, type StudyPolicyName } from '../experts/study/policies.ts';
import { study, type Study } from '../experts/study/study.ts';
import { parseTrace } from '../experts/study/trace-file.ts';
import type { RoutingTrace } from '../experts/study/trace.ts';
import { decodeUtf8 } from '../io/json-file.ts';
import { UsageError, type Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { writeOut } from './files.ts';
import { JSON_OPTION } from './model.ts';
import { chart, report } from './simulate-report.ts';
import { formatBytes } from './words.ts';

const RATIOS = '1,1.5,2,3,4,6';

/** A million uses take about 20 MB as CSV. */
const TRACE_BYTES = 256e6;

/** Tries expert caches on the recorded routes of a model, with the code that the engine uses. */
export const simulate: Command = {
  name: 'simulate',
  wants: ['TRACE'],
  summary: 'try expert caches on recorded routes',
  example: 'simulate fixtures/traces/qwen.route.csv.gz --svg hits.svg',
  options: {
    policy: {
      value: 'LIST',
      help: `of ${STUDY_POLICY_NAMES.join(', ')}; or all, the default`,
      read: policyNames,
    },
    ratio: { value: 'LIST', help: `cache sizes over one token's experts (${RATIOS})`, read: ratioList },
    svg: { value: 'FILE', help: 'draw the curves', read: (args, name) => args.path(name) },
    ...JSON_OPTION,
  },
  run: async (args, terminal) => {
    const names = policyNames(args);
    const ratios = ratioList(args);
    const trace = await readTrace(args.place(0));
    const found = await study(trace, names, ratios, { signal: terminal.signal });
    terminal.write(args.flag('json') ? asJson(trace, found) : report(trace, names, found));
    const file = args.path('svg');
    if (file !== undefined) {
      await writeOut('svg', file, chart(trace, names, found));
      terminal.note(`the curves are in ${file}`);
    }
    return true;
  },
};

function policyNames(args: Arguments): StudyPolicyName[] {
  const every = [...STUDY_POLICY_NAMES];
  const text = args.text('policy') ?? 'all';
  if (text === 'all') return every;
  return [...new Set(text.split(','))].map((name) => {
    if (isStudyPolicyName(name)) return name;
    throw new UsageError(`--policy has "${name}"; wanted all, or some of ${every.join(', ')}`);
  });
}

function ratioList(args: Arguments): number[] {
  const ratios = (args.text('ratio') ?? RATIOS).split(',').map((text) => {
    const ratio = Number(text);
    if (text.trim() !== '' && Number.isFinite(ratio) && ratio > 0) return ratio;
    throw new UsageError(`--ratio has "${text}"; wanted numbers above 0, as in ${RATIOS}`);
  });
  return [...new Set(ratios)].sort((a, b) => a - b);
}

/**
 * @param experts - of each layer of the model that was traced, if it is known
 * @throws {AtomoeError} bad-input - there is no such file; bad-file - it is no trace
 */
export async function readTrace(path: string, experts?: number): Promise<RoutingTrace> {
  let bytes: Uint8Array;
  try {
    if ((await stat(path)).size > TRACE_BYTES) throw tooLarge(path, 'is larger');
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof AtomoeError) throw cause;
    const why =
      cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
        ? 'does not exist'
        : 'cannot be read';
    throw new AtomoeError('bad-input', `${path} ${why}; wanted a route trace, .csv, .csv.gz or .json`, {
      cause,
    });
  }
  return parseTrace(decodeUtf8(await unzip(bytes, path), path), basename(path), experts);
}

function tooLarge(path: string, what: string, cause?: unknown): AtomoeError {
  const limit = formatBytes(TRACE_BYTES);
  return new AtomoeError(
    'bad-file',
    `${path} ${what} than ${limit}, the most a trace may have; record fewer tokens`,
    {
      cause,
    },
  );
}

/** Zipped or not, as the first bytes say. */
async function unzip(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: TRACE_BYTES });
  } catch (cause) {
    if (cause instanceof RangeError) throw tooLarge(path, 'unzips to more', cause);
    throw new AtomoeError('bad-file', `${path} is not whole: it does not unzip; copy it again`, { cause });
  }
}

function asJson({ label, layers, units, topK, steps, warmUp }: RoutingTrace, found: Study): string {
  const tokens = steps - warmUp;
  return `${JSON.stringify({ label, layers, experts: units, topK, tokens, warmUp, ...found })}\n`;
}
