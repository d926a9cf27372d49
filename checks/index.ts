/** Every check, in the order in which they run and are printed. The only place to register one. */
import type { Check } from '../src/check.ts'

export const checks: readonly Check[] = []
