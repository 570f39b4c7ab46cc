/** Every stage by role and name. A new stage is a row of its role's table; `registerStage` adds one from outside. */
import { AtomoeError } from '../../../errors.ts';
import { SCORES } from './score.ts';
import { SELECTIONS } from './select.ts';
import type { Stage, StageRole } from './stage.ts';
import { WEIGHTINGS } from './weigh.ts';

/** The built-in stages by role and name. */
export const STAGES = { score: SCORES, select: SELECTIONS, weigh: WEIGHTINGS } as const;

/** The name of a score, built in or registered. */
export type ScoreName = keyof typeof SCORES | (string & {});

/** The name of a selection, built in or registered. */
export type SelectName = keyof typeof SELECTIONS | (string & {});

/** The name of a weighting, built in or registered. */
export type WeighName = keyof typeof WEIGHTINGS | (string & {});

const known = new Map<StageRole, Map<string, Stage>>(
  (['score', 'select', 'weigh'] as const).map((role) => [role, new Map(Object.entries(STAGES[role]))]),
);

function named(role: StageRole): Map<string, Stage> {
  return known.get(role) ?? new Map<string, Stage>();
}

/**
 * Adds a stage from outside the package, for all engines of this thread. The same one may be registered again.
 *
 * @throws {AtomoeError} bad-input - the name is taken in its role, or the object is not a stage
 */
export function registerStage(stage: Stage): void {
  assertStage(stage);
  const { role, name } = stage;
  const other = named(role).get(name);
  if (other && other !== stage) {
    throw new AtomoeError('bad-input', `a ${role} stage "${name}" exists already; choose another name`);
  }
  named(role).set(name, stage);
}

function assertStage(stage: Partial<Stage> | null | undefined): void {
  const { role, name, wgsl, reference } = stage ?? {};
  const hasAll = typeof wgsl === 'string' && typeof reference === 'function';
  if (role !== undefined && known.has(role) && typeof name === 'string' && name !== '' && hasAll) return;
  throw new AtomoeError(
    'bad-input',
    `a stage has to be an object with role (${[...known.keys()].join(', ')}), name, wgsl and reference(); ` +
      `${JSON.stringify(name ?? null)} of role ${JSON.stringify(role ?? null)} is not; complete it`,
  );
}

/** @throws {AtomoeError} bad-input - this role has no stage of this name */
export function stageOf<R extends StageRole>(role: R, name: string): Extract<Stage, { role: R }> {
  const found = named(role).get(name);
  if (found) return found as Extract<Stage, { role: R }>;
  const names = [...named(role).keys()].join(', ');
  throw new AtomoeError('bad-input', `no ${role} stage "${name}"; wanted ${names}, or register it first`);
}
