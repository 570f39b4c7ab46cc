/**
 * Gives tests in Node what a browser gives them: `navigator.gpu`, of Dawn on whatever Vulkan driver the lane names.
 * Workgroup memory stays as it was, as in the lanes in Chromium (vitest.config.ts says why).
 */
import { create } from 'webgpu';

// Dawn goes when this object is collected; the navigator keeps it.
const gpu = create(['enable-dawn-features=disable_workgroup_init']);
Object.defineProperty(globalThis, 'navigator', {
  value: { gpu, hardwareConcurrency: 2 },
  configurable: true,
});
