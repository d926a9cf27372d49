/** Every check, in the order in which they run and are printed. The only place to register one. */
import type { Check } from '../src/check.ts'
import missingFiles from './artifact/missing-files.ts'
import sizeMismatch from './artifact/size-mismatch.ts'
import unfinishedUploads from './artifact/unfinished-uploads.ts'
import modelStatus from './model/status.ts'

export const checks: readonly Check[] = [missingFiles, sizeMismatch, unfinishedUploads, modelStatus]
