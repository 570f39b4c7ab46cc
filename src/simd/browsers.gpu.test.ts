/** The kernels' tests in browsers: Chromium accepts both builds, whatever Node does; Firefox compiles them in its own way. */
import { expect, test } from 'vitest';
import { BUILDS } from './testing.ts';
import './atomic.test.ts';
import './attention.test.ts';
import './coded.test.ts';
import './int8.test.ts';
import './latent.test.ts';
import './matrix.test.ts';
import './recurrent.test.ts';
import './routing.test.ts';
import './rows.test.ts';
import './sample.test.ts';

const isFirefox = import.meta.env['VITE_ATOMOE_LANE'] === 'firefox';

test('the browser accepts the builds', () => {
  expect(BUILDS).toContain('plain');
  if (!isFirefox) expect(BUILDS).toContain('relaxed');
});
