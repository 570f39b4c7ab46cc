/** What vitest.config.ts defines for tests in a browser; Node has none of it. */
interface ImportMetaEnv {
  /** The lane's name, for the one driver whose limits a test has to know. */
  readonly VITE_ATOMOE_LANE?: 'gpu' | 'gpu-default-limits' | 'firefox';
  /** What a test opens its device with: what the plan needs, or the default limits and nothing more. */
  readonly VITE_ATOMOE_LIMITS?: 'plan' | 'default';
}
