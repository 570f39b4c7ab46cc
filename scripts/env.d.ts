/** What vitest.config.ts defines for tests in a browser; Node has none of it. */
interface ImportMetaEnv {
  /** The lane's name, for the one driver whose limits a test has to know. */
  readonly VITE_ATOMOE_LANE?: 'gpu' | 'firefox';
}
