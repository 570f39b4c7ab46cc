/** What vitest.config.ts defines for tests in a browser; Node has none of it. */
interface ImportMetaEnv {
  /** What a test opens its device with: what the plan needs, or the default limits and nothing more. */
  readonly VITE_ATOMOE_LIMITS?: 'plan' | 'default';
}
