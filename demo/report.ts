/** What runs on the page, as sections of names and values: for the page, and as Markdown for a bug report. */
import type {
  AdapterReport,
  DispatchReport,
  MemoryReport,
  ModelInfo,
  StreamingReport,
} from '../src/engine/api.ts';
import { formatBytes, type Problem, type ReplyReport } from '../src/element/index.ts';

/** What is known; the rest is undefined. */
export interface ReportFacts {
  readonly version: string;
  readonly browser: string; // as it names itself
  readonly hasWebgpu: boolean;
  readonly isIsolated: boolean; // threads may share memory
  readonly adapter: AdapterReport | undefined;
  readonly model: ModelInfo | undefined;
  readonly memory: MemoryReport | undefined;
  readonly streaming: StreamingReport | undefined;
  readonly reply: ReplyReport | undefined; // of the last reply
  readonly problem: Problem | undefined; // that is shown now
  readonly dispatches: readonly DispatchReport[]; // of one token
}

export interface ReportSection {
  readonly title: string;
  readonly rows: readonly (readonly [name: string, value: string])[];
}

/** All that there is to say, in sections; those without a row are left out. */
export function reportSections(facts: ReportFacts): ReportSection[] {
  const { adapter, model, memory, streaming, reply, problem, dispatches } = facts;
  const sections: ReportSection[] = [
    { title: 'Page', rows: pageRows(facts) },
    { title: 'Device', rows: adapter ? adapterRows(adapter) : [] },
    { title: 'Model', rows: model ? modelRows(model) : [] },
    { title: 'Memory', rows: memory ? memoryRows(memory) : [] },
    { title: 'Streaming', rows: streaming ? streamingRows(streaming) : [] },
    { title: 'Last reply', rows: reply ? replyRows(reply) : [] },
    { title: 'Problem', rows: problem ? problemRows(problem) : [] },
    { title: 'One token, by kernel', rows: kernelRows(dispatches) },
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

/** The same as Markdown: a heading and a table for each section. */
export function reportMarkdown(sections: readonly ReportSection[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
  const tables = sections.map(({ title, rows }) => {
    const lines = rows.map(([name, value]) => `| ${cell(name)} | ${cell(value)} |`);
    return [`### ${title}`, '', '| | |', '| --- | --- |', ...lines, ''].join('\n');
  });
  return tables.join('\n');
}

type Rows = ReportSection['rows'];

function pageRows({ version, browser, hasWebgpu, isIsolated }: ReportFacts): Rows {
  return [
    ['Atomoe', version],
    ['Browser', browser],
    ['WebGPU', hasWebgpu ? 'yes' : 'no'],
    ['Threads', isIsolated ? 'yes' : 'no: the page is not isolated'],
  ];
}

function adapterRows(adapter: AdapterReport): Rows {
  const { device, name, adapterClass, f16, subgroups, maxBindingBytes, why } = adapter;
  const yesNo = (is: boolean): string => (is ? 'yes' : 'no');
  const gpu: Rows =
    device === 'gpu'
      ? [
          ['Treated as', adapterClass],
          ['f16', yesNo(f16)],
          ['Subgroups', yesNo(subgroups)],
          ['Largest binding', formatBytes(maxBindingBytes)],
        ]
      : [];
  return [
    ['Runs on', `${device.toUpperCase()}, ${name || 'not named'}`],
    ...gpu,
    ...optional('Because', why),
  ];
}

function modelRows({ label, family, plan }: ModelInfo): Rows {
  const { layers, experts, expertsPerToken, contextTokens, bytes, notes, refusedKernels } = plan;
  return [
    ['Model', label],
    ['Family', family],
    ['Layers', String(layers)],
    ['Experts', `${experts} of a layer, ${expertsPerToken} for a token`],
    ['Context', `${contextTokens} tokens`],
    ['Download', formatBytes(bytes.download)],
    ...notes.map(({ message }): [string, string] => ['Note', message]),
    ...refusedKernels.map(({ kernel, reason }): [string, string] => [`Refused: ${kernel}`, reason]),
  ];
}

function memoryRows(memory: MemoryReport): Rows {
  return [
    ['Experts', formatBytes(memory.expertsBytes)],
    ['Other weights', formatBytes(memory.weightsBytes)],
    ['KV cache', formatBytes(memory.kvCacheBytes)],
    ['Activations', formatBytes(memory.activationsBytes)],
    ['Staging', formatBytes(memory.stagingBytes)],
    ['All', formatBytes(memory.totalBytes)],
  ];
}

function streamingRows(report: StreamingReport): Rows {
  const { slotsPerLayer, unitsPerLayer, hits, misses, stallMs, uploadedBytes, readBytes, disk } = report;
  return [
    ['Places', `${slotsPerLayer} of ${unitsPerLayer} for each layer`],
    ['Found and missed', `${hits} and ${misses}`],
    ['Waited', `${Math.round(stallMs)} ms`],
    ['Uploaded', formatBytes(uploadedBytes)],
    ['Read', formatBytes(readBytes)],
    ...(disk ? ([['Kept on the disk', formatBytes(disk.storedBytes)]] as const) : []),
    ...optional('Not kept', disk?.why ?? ''),
  ];
}

function replyRows({ usage, timings, seed, reason }: ReplyReport): Rows {
  return [
    ['Tokens', `${usage.promptTokens} of the prompt, ${usage.completionTokens} of the reply`],
    ['First token', `${timings.firstTokenMs.toFixed(1)} ms`],
    ['Speed', `${timings.tokensPerSecond.toFixed(1)} tokens per second`],
    ['Seed', String(seed)],
    ['Ended by', reason],
  ];
}

function problemRows({ code, message, detail }: Problem): Rows {
  return [['Code', code], ['Message', message], ...optional('Detail', detail)];
}

/** One row for each kernel: how often it runs for one token, and how long, the longest first. */
function kernelRows(dispatches: readonly DispatchReport[]): Rows {
  const kernels = new Map<string, { count: number; ms: number; isTimed: boolean; ops: Set<string> }>();
  for (const { kernel, label, ms } of dispatches) {
    const entry = kernels.get(kernel) ?? { count: 0, ms: 0, isTimed: ms !== undefined, ops: new Set() };
    entry.count += 1;
    entry.ms += ms ?? 0;
    entry.ops.add(label.split(' ')[0] ?? '');
    kernels.set(kernel, entry);
  }
  return [...kernels]
    .sort((a, b) => b[1].ms - a[1].ms)
    .map(([kernel, { count, ms, isTimed, ops }]) => {
      const time = isTimed ? `, ${ms.toFixed(3)} ms` : '';
      return [kernel, `${[...ops].join(', ')}: ${count} ×${time}`];
    });
}

function optional(name: string, value: string): Rows {
  return value === '' ? [] : [[name, value]];
}
