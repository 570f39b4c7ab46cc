import { expect, test } from 'vitest';
import { LocalEngine } from '../engine/index.ts';
import { nodeFolder } from '../io/node-file.ts';
import { planReport } from './plan-report.ts';

test('a plan names the kernels that the adapter refused', async () => {
  const engine = await LocalEngine.open({ device: 'cpu' });
  const plan = await engine.plan(await nodeFolder('fixtures/models/mixtral'));
  const budget = { label: 'mixtral', bytes: 2 ** 30, isGiven: true };
  expect(planReport(plan, budget)).not.toContain('refused');
  const refusedKernels = [{ kernel: 'gate/group128/1024', reason: 'too little memory' }];
  expect(planReport({ ...plan, refusedKernels }, budget)).toMatch(
    /refused +gate\/group128\/1024: too little memory/,
  );
  engine.dispose();
});
