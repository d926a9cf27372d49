/** Every check, in the order in which they run and are printed. The only place to register one. */
import type { Check } from '../src/check.ts'
import content from './artifact/content.ts'
import emptyFiles from './artifact/empty-files.ts'
import missingFiles from './artifact/missing-files.ts'
import sizeMismatch from './artifact/size-mismatch.ts'
import stagedLeftovers from './artifact/staged-leftovers.ts'
import strayObjects from './artifact/stray-objects.ts'
import structure from './artifact/structure.ts'
import unfinishedUploads from './artifact/unfinished-uploads.ts'
import clientExpiry from './client/expiry.ts'
import requestTime from './client/request-time.ts'
import clientSettings from './client/settings.ts'
import clientVersion from './client/version.ts'
import hostLimits from './host/limits.ts'
import memory from './host/memory.ts'
import tempDisk from './host/temp-disk.ts'
import abandonedRun from './model/abandoned-run.ts'
import artifactRoot from './model/artifact-root.ts'
import bundle from './model/bundle.ts'
import outputs from './model/outputs.ts'
import registration from './model/registration.ts'
import modelStatus from './model/status.ts'
import proxies from './network/proxies.ts'
import reach from './network/reach.ts'
import stability from './network/stability.ts'
import storeReach from './network/store-reach.ts'
import transfer from './network/transfer.ts'
import bodyLimit from './proxy/body-limit.ts'
import timeOuts from './proxy/time-outs.ts'
import access from './server/access.ts'
import artifactRoute from './server/artifact-route.ts'
import serverVersion from './server/version.ts'
import address from './store/address.ts'
import checksums from './store/checksums.ts'
import clock from './store/clock.ts'
import disk from './store/disk.ts'
import encryption from './store/encryption.ts'
import leftovers from './store/leftovers.ts'
import lifecycle from './store/lifecycle.ts'
import storeLimits from './store/limits.ts'
import multipart from './store/multipart.ts'
import objectLock from './store/object-lock.ts'
import permissions from './store/permissions.ts'
import retention from './store/retention.ts'
import rights from './store/rights.ts'

export const checks: readonly Check[] = [
  tempDisk,
  memory,
  hostLimits,
  clientVersion,
  clientSettings,
  clientExpiry,
  bundle,
  reach,
  storeReach,
  proxies,
  artifactRoute,
  disk,
  access,
  bodyLimit,
  multipart,
  permissions,
  rights,
  clock,
  address,
  checksums,
  encryption,
  objectLock,
  retention,
  lifecycle,
  storeLimits,
  leftovers,
  transfer,
  requestTime,
  serverVersion,
  timeOuts,
  stability,
  artifactRoot,
  missingFiles,
  sizeMismatch,
  emptyFiles,
  structure,
  content,
  unfinishedUploads,
  stagedLeftovers,
  strayObjects,
  modelStatus,
  outputs,
  registration,
  abandonedRun,
]
