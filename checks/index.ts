/** Every check, in the order in which they run and are printed. The only place to register one. */
import type { Check } from '../src/check.ts'
import missingFiles from './artifact/missing-files.ts'
import sizeMismatch from './artifact/size-mismatch.ts'
import unfinishedUploads from './artifact/unfinished-uploads.ts'
import memory from './host/memory.ts'
import tempDisk from './host/temp-disk.ts'
import modelStatus from './model/status.ts'
import reach from './network/reach.ts'
import stability from './network/stability.ts'
import storeReach from './network/store-reach.ts'
import transfer from './network/transfer.ts'
import bodyLimit from './proxy/body-limit.ts'
import access from './server/access.ts'
import artifactRoute from './server/artifact-route.ts'
import leftovers from './store/leftovers.ts'
import multipart from './store/multipart.ts'

export const checks: readonly Check[] = [
  tempDisk,
  memory,
  reach,
  storeReach,
  artifactRoute,
  access,
  bodyLimit,
  multipart,
  leftovers,
  transfer,
  stability,
  missingFiles,
  sizeMismatch,
  unfinishedUploads,
  modelStatus,
]
