/** Models that `engine/reshape` made: what the `atomoe` key of their config says, as data of the model. */
import type { Model } from '../../blocks/family.ts';
import { loadBlocks } from '../../blocks/table.ts';
import type { AliasedScoreSpec } from '../../blocks/routers/aliased.ts';
import type { AnalyticScoreSpec } from '../../blocks/routers/analytic.ts';
import { AtomoeError } from '../../errors.ts';
import { isJsonObject } from '../../io/json-file.ts';
import {
  ACTIVATIONS,
  isMoe,
  type Activation,
  type BlockSpec,
  type DenseSpec,
  type ExpertSpec,
  type GatedExpertSpec,
  type MoeSpec,
  type RouterSpec,
  type SublayerSpec,
} from '../../models/spec.ts';
import type { ExpertPart, ExpertRows } from '../../weights/tensor-rows.ts';
import { expertsSection, wrong, type NumberedConfig } from './expert-numbers.ts';

/** The tensor of a part of each expert of a layer with experts, where experts are made anew. */
export function madeRows(bank: number, part: string, shape: ExpertPart['shape']): ExpertRows {
  return { tensor: `atomoe.experts.${bank}.{expert}.${part}`, shape };
}

/**
 * The model with what its config says besides its family's keys.
 *
 * @throws {AtomoeError} bad-file - the config contradicts itself
 */
export async function withReshaping(model: Model, file: NumberedConfig): Promise<Model> {
  const whole = isFolded(file) ? await withDenseMlps(model, file.label) : model;
  const carving = readCarving(file);
  if (carving) return withCarvedMlps(whole, carving, file.label);
  if (whole !== model) return whole;
  const alias = expertsSection(file)?.['alias'];
  if (alias === undefined) return model;
  const tables = checkAlias(alias, model, file.label);
  let bank = 0;
  return changed(model, (sublayer) => {
    const { block } = sublayer;
    if (!isMoe(block)) return sublayer;
    const table = tables[bank] ?? [];
    const merged = withAlias(model, block, { bank, table });
    bank += 1;
    return { ...sublayer, block: merged };
  });
}

/** @throws {AtomoeError} bad-file - it says neither */
function isFolded({ config: { atomoe }, label }: NumberedConfig): boolean {
  const folded = isJsonObject(atomoe) ? (atomoe['folded'] ?? false) : false;
  if (typeof folded === 'boolean') return folded;
  throw notFolded(label, folded);
}

function notFolded(label: string, folded: unknown): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${label} config.json: atomoe.folded is ${JSON.stringify(folded)}; wanted true where experts are gated MLPs, or false; write the ` +
      'model again',
  );
}

/** Experts whose weighted mean is a dense MLP. */
export type FoldableExpertSpec = GatedExpertSpec & { readonly activation: Activation };

/** Whether an expert is a gated MLP as dense ones are. */
export function isFoldable(expert: ExpertSpec): expert is FoldableExpertSpec {
  const { kind, activation, biases } = expert as GatedExpertSpec;
  return kind === 'gated' && biases === undefined && (ACTIVATIONS as readonly string[]).includes(activation);
}

/** The MLP of the width of an expert that is in the place of a layer's experts. */
export function foldedMlp(
  { width, activation }: FoldableExpertSpec,
  bank: number,
  hidden: number,
): DenseSpec {
  const matrix = (name: string, rows: number, cols: number) => ({
    tensor: `atomoe.folded.${bank}.${name}`,
    shape: [rows, cols],
  });
  return {
    kind: 'dense',
    width,
    activation,
    gateUp: { weight: [matrix('gate', width, hidden), matrix('up', width, hidden)] },
    down: { weight: [matrix('down', hidden, width)] },
  };
}

async function withDenseMlps(model: Model, label: string): Promise<Model> {
  let bank = 0;
  return changed(model, (sublayer) => {
    const { block } = sublayer;
    if (!isMoe(block)) return sublayer;
    const { expert } = block;
    if (!isFoldable(expert)) throw notFolded(label, true);
    return { ...sublayer, block: foldedMlp(expert, bank++, model.spec.hidden) };
  });
}

/** How dense MLPs are divided: into experts of one width, some of which every token uses. */
export interface Carving {
  readonly experts: number; // the shared ones among them
  readonly shared: number;
  readonly active: number; // of the others, for each token
}

/** What is wrong with the numbers of a carving; undefined where nothing is. */
export function wrongCarving({ experts, shared, active }: Carving): string | undefined {
  const isIn = (value: number, least: number, most: number) =>
    Number.isSafeInteger(value) && value >= least && value <= most;
  if (!isIn(experts, 2, Infinity)) return `experts is ${experts}; wanted 2 or more`;
  if (!isIn(shared, 0, experts - 1))
    return `shared is ${shared}; wanted 0 to ${experts - 1}, as one of ${experts} experts at least is routed`;
  if (isIn(active, 1, experts - shared)) return undefined;
  return `active is ${active}; wanted 1 to ${experts - shared}, the experts that are not shared`;
}

/** A gated MLP that can be divided: without biases, of the activation that the router computes. */
export function isCarvable({ activation, gateUp, down }: DenseSpec): boolean {
  return activation === 'silu' && !gateUp.bias && !down.bias;
}

/** Experts have whole vectors of so many neurons. */
const NEURONS = 4;

/** Whether an MLP can be divided into so many experts. */
export function divides(experts: number, { width }: DenseSpec): boolean {
  return width % (NEURONS * experts) === 0;
}

/** Whether a block is a dense MLP. */
export function isDense(block: BlockSpec): block is DenseSpec {
  return block.kind === 'dense';
}

/** The experts, the shared expert and the router in the place of a layer's dense MLP. */
export function carvedMoe({ width, activation }: DenseSpec, place: CarvedPlace): MoeSpec & CarvedParts {
  const { bank, hidden, experts, shared, active } = place;
  const each = width / experts;
  const routed = experts - shared;
  const matrix = (part: string, rows: number, cols: number) => ({
    tensor: `atomoe.${part}`,
    shape: [rows, cols] as const,
  });
  const wide = shared * each;
  const score: AnalyticScoreSpec = {
    kind: 'analytic',
    classifier: `atomoe.router.${bank}.classifier`,
    gate: `atomoe.router.${bank}.gate`,
  };
  const gateUp = ['gate', 'up'].map((name) => matrix(`shared.${bank}.${name}`, wide, hidden));
  const down = { weight: [matrix(`shared.${bank}.down`, hidden, wide)] };
  return {
    kind: 'moe',
    experts: routed,
    router: { score, select: { kind: 'topK', k: active } },
    expert: {
      kind: 'gated',
      width: each,
      activation,
      gate: madeRows(bank, 'gate', [each, hidden]),
      up: madeRows(bank, 'up', [each, hidden]),
      down: madeRows(bank, 'down', [hidden, each]),
    },
    ...(shared > 0 && { shared: { width: wide, activation, gateUp: { weight: gateUp }, down } }),
  };
}

/** Where the experts of a carved MLP are. */
interface CarvedPlace extends Carving {
  readonly bank: number;
  readonly hidden: number;
}

interface CarvedParts {
  readonly router: RouterSpec<AnalyticScoreSpec>;
  readonly expert: GatedExpertSpec;
}

/** @throws {AtomoeError} bad-file */
function readCarving({ config: { atomoe }, label }: NumberedConfig): Carving | undefined {
  const section = isJsonObject(atomoe) ? atomoe['carved'] : undefined;
  if (section === undefined) return undefined;
  const { experts, shared, active } = isJsonObject(section) ? section : {};
  const carving = { experts, shared, active } as Carving;
  const why = wrongCarving(carving);
  if (why === undefined) return carving;
  throw new AtomoeError('bad-file', `${label} config.json: atomoe.carved.${why}; write the model again`);
}

async function withCarvedMlps(model: Model, carving: Carving, label: string): Promise<Model> {
  const { hidden } = model.spec;
  let bank = 0;
  return changed(model, (sublayer) => {
    const { block } = sublayer;
    if (!isDense(block) && !isMoe(block)) return sublayer;
    if (isDense(block) && isCarvable(block) && divides(carving.experts, block))
      return { ...sublayer, block: carvedMoe(block, { ...carving, hidden, bank: bank++ }) };
    throw new AtomoeError(
      'bad-file',
      `${label} config.json: atomoe.carved is of MLPs in ${carving.experts} experts, and the model has others; wanted dense ` +
        'ones with silu, without biases, of widths that are multiples of 4 times the experts; write the model again',
    );
  });
}

/** The model with other sublayers, and the blocks that these need. */
async function changed(model: Model, change: (sublayer: SublayerSpec) => SublayerSpec): Promise<Model> {
  const layers = model.spec.layers.map((layer) => ({ ...layer, sublayers: layer.sublayers.map(change) }));
  const spec = { ...model.spec, layers };
  return { ...model, spec, blocks: await loadBlocks(spec, model.family.blocks) };
}

/** Experts that are made anew, each of which several of the router's stand for. */
function withAlias(
  { spec: { hidden }, blocks }: Model,
  moe: MoeSpec,
  { bank, table }: { readonly bank: number; readonly table: readonly number[] },
): MoeSpec {
  const { router, expert } = moe;
  const score: AliasedScoreSpec = { kind: 'aliased', router, block: blocks.router(router), alias: table };
  const parts = Object.entries(blocks.expert(expert).parts(expert, hidden));
  const rows = new Map(parts.map(([name, part]) => [part.rows, madeRows(bank, name, part.shape)] as const));
  return {
    ...moe,
    experts: Math.max(...table) + 1,
    router: { ...router, score },
    expert: withRows(expert, rows) as ExpertSpec,
  };
}

/** A value with other rows in the place of some. */
function withRows(value: unknown, rows: ReadonlyMap<unknown, ExpertRows>): unknown {
  const found = rows.get(value);
  if (found) return found;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withRows(each, rows)]));
}

/** By layer with experts: the expert that each of the router's stands for. */
function checkAlias(alias: unknown, { spec }: Model, label: string): number[][] {
  const moes = spec.layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block)).filter(isMoe);
  const isTable = (table: unknown, bank: number): table is number[] => {
    if (!Array.isArray(table) || table.length !== moes[bank]?.experts) return false;
    const used = new Set<unknown>(table);
    return Array.from({ length: used.size }, (_, id) => id).every((id) => used.has(id));
  };
  if (Array.isArray(alias) && alias.length === moes.length && alias.every(isTable)) return alias;
  const wanted = `${moes.length} lists of ${moes[0]?.experts ?? 0} ids, from 0 on without gaps, one a layer`;
  throw wrong(label, 'alias', alias, wanted);
}
