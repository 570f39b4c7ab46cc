/** The kernels' tests in Chromium, which accepts both builds whatever Node does. */
import { expect, test } from 'vitest';
import { BUILDS } from './testing.ts';
import './atomic.test.ts';
import './attention.test.ts';
import './int8.test.ts';
import './matrix.test.ts';
import './routing.test.ts';
import './rows.test.ts';
import './sample.test.ts';

test('Chromium accepts both builds', () => expect(BUILDS).toEqual(['plain', 'relaxed']));
