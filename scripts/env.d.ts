/** What vitest.config.ts defines for the tests of some lanes; elsewhere there is none of it. */
interface ImportMetaEnv {
  /** The lane's name, where a lane runs a part of the kernels' variants, or a test has to know its driver's limits. */
  readonly VITE_ATOMOE_LANE?: 'gpu' | 'firefox' | 'mesa';
  /** What is asked for: `npm test` or everything. */
  readonly VITE_ATOMOE_TESTS?: 'quick' | 'all';
}
