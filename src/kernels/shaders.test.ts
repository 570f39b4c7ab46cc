import { afterAll, expect, test } from 'vitest';
import { create } from 'webgpu';
import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import { Gpu } from '../gpu/device.ts';
import { link } from '../gpu/program.ts';
import { allPrograms } from './index.ts';

const dawn = create(['backend=null']); // compiles with Chrome's front end and executes nothing
const devices = new Map<string, Promise<Gpu>>();

/** A device with exactly the features that a program declares, which reveals a missing `enable`. */
function deviceFor(features: (typeof allPrograms)[number]['features']): Promise<Gpu> {
  const key = features.join();
  const open = devices.get(key) ?? Gpu.open({ gpu: dawn, features });
  devices.set(key, open);
  return open;
}

afterAll(async () => {
  for (const gpu of devices.values()) (await gpu).dispose();
  void dawn; // Dawn is destroyed when this object is collected: keep it reachable until here
});

const cases = allPrograms.map((program) => [program.key, program] as const);

test('keys are unique', () => {
  expect(new Set(allPrograms.map(({ key }) => key)).size).toBe(allPrograms.length);
});

test.each(cases)('%s compiles', async (_key, program) => {
  const gpu = await deviceFor(program.features);
  await gpu.pipelines.compile(program);
});

test.each(cases)('%s: WGSL agrees with the record', async (_key, program) => {
  const reflection = new WgslReflect((await link(program)).code);
  const names = Object.keys(program.bindings);
  const hasParams = Object.keys(program.params).length > 0;
  const groups = reflection.getBindGroups();
  expect(groups[0]?.map(({ name }) => name)).toEqual(hasParams ? [...names, 'params'] : names);
  for (const [index, access] of Object.values(program.bindings).entries()) {
    expect(groups[0]?.[index]?.access).toBe(access === 'read' ? 'read' : 'read_write');
  }
  if (!hasParams) return;
  expect(reflection.uniforms[0]?.members?.map(({ name, type, offset }) => [name, type.name, offset])).toEqual(
    Object.entries(program.params).map(([name, type], word) => [name, type, 4 * word]),
  );
});
