// (g) Models of published shapes, written to disk, within memory budgets smaller than they are.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { withModules } from '../modules.mjs';

/** What tells this browser's processes from others. */
export const BROWSER_MARK = '--atomoe-bench';

const RUN = { threads: 2, contextTokens: 512, promptTokens: 4, replyTokens: 8 };
/** A software GPU takes seconds for a token. */
const GPU_REPLY_TOKENS = 2;

/** @param {number} bytes */
const mb = (bytes) => (bytes / 1e6).toFixed(0);

/** @param {string | number} pid */
function processFacts(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    parent: Number(/PPid:\s+(\d+)/.exec(status)?.[1]),
    peakBytes: 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0),
    command: readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
  };
}

/** Whether a process was started, at some remove, by the bench's browser. @param {number} pid @returns {boolean} */
function isOurs(pid) {
  if (pid <= 1) return false;
  const { parent, command } = processFacts(pid);
  return command.includes(BROWSER_MARK) || isOurs(parent);
}

/** The peaks of resident memory of our processes that show pages, by process. @returns {Map<string, number>} */
function rendererPeaks() {
  const peaks = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const { command, peakBytes } = processFacts(pid);
      if (command.includes('--type=renderer') && isOurs(Number(pid))) peaks.set(pid, peakBytes);
    } catch {
      // The process has ended meanwhile.
    }
  }
  return peaks;
}

/** What a page has added to its process at most. @param {Map<string, number>} idle */
function addedBytes(idle) {
  return Math.max(...[...rendererPeaks()].map(([pid, peakBytes]) => peakBytes - (idle.get(pid) ?? 0)));
}

/**
 * @param {(use: (page: import('playwright').Page) => Promise<any>) => Promise<any>} withPage - opens the bench page in a
 *   browser of its own
 */
export function realPart(withPage) {
  return withModules(async (load) => {
    const { realModels } = await load('real/models.ts');
    const files = /** @type {typeof import('./write.ts')} */ (await load('real/write.ts'));
    return measureAll(realModels(), files, withPage);
  });
}

/**
 * @param {readonly import('./models.ts').RealModel[]} models
 * @param {typeof import('./write.ts')} files
 * @param {(use: (page: import('playwright').Page) => Promise<any>) => Promise<any>} withPage
 */
async function measureAll(models, { tensorBytes, writeModel }, withPage) {
  const folder = mkdtempSync(join(tmpdir(), 'atomoe-bench-'));
  const rows = [];
  const results = [];
  try {
    for (const model of models) {
      const path = join(folder, 'model.gguf');
      await writeModel(path, model);
      /** @param {string} name */
      const isExpert = (name) => name.includes('_exps.weight');
      const denseBytes = tensorBytes(model, (name) => !isExpert(name));
      /** The least that has to be read before the first token. @param {readonly number[]} routed */
      const leastBytes = (routed) =>
        routed.reduce((sum, count, bank) => {
          const at = `blk.${model.layers - routed.length + bank}.`;
          const experts = tensorBytes(model, (name) => name.startsWith(at) && isExpert(name));
          return sum + (count * experts) / model.experts;
        }, denseBytes);
      /** @param {string} where @param {any} figures @param {number} memoryBytes */
      const note = (where, figures, memoryBytes) => {
        const { peakBytes, readBytes, firstTokenMs, tokensPerSecond, hitRate, slotsPerLayer, routed } =
          figures;
        const floor = leastBytes(routed);
        results.push({ model: model.name, where, ...figures, memoryBytes, floorBytes: floor });
        console.log(
          `[g] ${model.name} ${where}: ${tokensPerSecond.toFixed(2)} tokens/s, ${mb(peakBytes)} MB`,
        );
        rows.push([
          model.name,
          where,
          mb(tensorBytes(model)),
          mb(model.budgetBytes),
          mb(peakBytes),
          mb(memoryBytes),
          (readBytes / floor).toFixed(3),
          (firstTokenMs / 1000).toFixed(1),
          tokensPerSecond.toFixed(2),
          `${slotsPerLayer}`,
          `${(100 * hitRate).toFixed(0)} %`,
        ]);
      };
      for (const device of ['cpu', 'gpu']) {
        const replyTokens = device === 'gpu' ? GPU_REPLY_TOKENS : RUN.replyTokens;
        const run = { ...RUN, device, replyTokens, budgetBytes: model.budgetBytes };
        const { figures, memoryBytes } = await withPage(async (page) => {
          await page.getByLabel('Model file').setInputFiles(path);
          const idle = rendererPeaks();
          const figures = await page.evaluate(`window.measureReal(${JSON.stringify(run)})`);
          return { figures, memoryBytes: addedBytes(idle) };
        });
        note(`Chromium, ${device === 'gpu' ? 'software GPU' : 'WebAssembly'}`, figures, memoryBytes);
        if (device === 'gpu') continue;
        const child = resolve(import.meta.dirname, 'child.mjs');
        const text = execFileSync(process.execPath, [child, path, JSON.stringify(run)], { encoding: 'utf8' });
        const inNode = JSON.parse(text.trim().split('\n').at(-1) ?? '');
        note('Node, WebAssembly', inNode, inNode.memoryBytes);
      }
      const { peer } = await withPage(async (page) => {
        await page.getByLabel('Model file').setInputFiles(path);
        const peer = await page
          .evaluate(`window.wllamaReal(${JSON.stringify(RUN)})`)
          .then((rate) => `${Number(rate).toFixed(2)}`)
          .catch((error) => `refused: ${String(error.message).split('\n')[0]?.slice(0, 100)}`);
        return { peer };
      }).catch((error) => ({ peer: `failed: ${String(error.message).split('\n')[0]?.slice(0, 100)}` }));
      console.log(`[g] ${model.name} wllama: ${peer}`);
      results.push({ model: model.name, where: 'wllama', outcome: peer });
      rows.push([model.name, `wllama: ${peer}`, mb(tensorBytes(model)), ...Array(8).fill('')]);
      rmSync(path);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const heads = [
    'model',
    'where',
    'file, MB',
    'budget, MB',
    'peak in use, MB',
    'page memory, MB',
    'read before the first token / least',
    'first token, s',
    'tokens/s',
    'slots a layer',
    'hits',
  ];
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`;
  const table = [line(heads), line(heads.map((_, i) => (i < 2 ? '---' : '--:'))), ...rows.map(line)].join(
    '\n',
  );
  const markdown =
    'Generated weights at the published shapes, all layers, in the types of the usual GGUF files, read from one file on disk ' +
    '(a chosen file in Chromium). Prompts of 4 tokens; routes of random weights are nearly uniform, so hit rates and speeds of real models are ' +
    'better. The least to be read is the dense part and each expert that the prompt chose. Page memory is what the run added to ' +
    'the resident set of the process at most; GPU memory is in another process.\n\n' +
    table;
  return { markdown, results };
}
