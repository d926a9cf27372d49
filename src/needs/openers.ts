/** How every declared need is opened. One line for each; the longer ones stand in files of their own. */
import type { Facts, Need } from '../check.ts'
import { NotApplicable, Trouble } from '../errors.ts'
import { processLimits } from '../host/limits.ts'
import { hostMemory } from '../host/memory.ts'
import { tempFolder } from '../host/temp.ts'
import { readBundle } from '../mlflow/bundle.ts'
import { findClient } from '../mlflow/client.ts'
import { expiringLogins } from '../mlflow/expiry.ts'
import { registryOf } from '../mlflow/registry.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import { readSettings } from '../mlflow/settings.ts'
import { openTracking } from '../mlflow/tracking.ts'
import { accessOpener } from './access.ts'
import {
  bucketSettingsOpener,
  checksumTriesOpener,
  cloudRightsOpener,
  deleteRightOpener,
  keepingOpener,
  readRightsOpener,
} from './bucketed.ts'
import { leftoversOpener } from './canaries.ts'
import { contentsOpener, manifestOpener } from './compared.ts'
import * as needs from './declarations.ts'
import { folderPartsOpener, formatNamesOpener, structuresOpener } from './judged.ts'
import type { Needed } from './needed.ts'
import type { Opener } from './opener.ts'
import { opener } from './opener.ts'
import {
  bodyLimitOpener,
  multipartCanaryOpener,
  pacedOpener,
  proxiesOpener,
  signedAddressesOpener,
  storeReachOpener,
  trackingReachOpener,
} from './probed.ts'
import { runSignsOpener } from './signs.ts'
import { artifactRootOpener, outputsOpener, registrationsOpener } from './states.ts'
import { listingOpener, localTreeOpener, modelFilesOpener, storeOpener } from './stored.ts'
import { destinationFolderOpener, loggedModelOpener, routeOpener, targetOpener } from './tracked.ts'
import { transfersOpener } from './transferred.ts'
import { unfinishedUploadsOpener } from './unfinished.ts'

const of = <V, F extends Facts>(
  need: Need<string, V, F>,
  open: Parameters<typeof opener<Needed, V, F>>[1],
): Opener<Needed> => opener<Needed, V, F>(need, open)

export const openers: readonly Opener<Needed>[] = [
  of(needs.settings, async ({ context }) => ({ value: settingsOf(context) })),
  of(needs.plannedUpload, async ({ context: { planned } }) => {
    if (!planned) throw new NotApplicable('no planned upload was given: use --size or --model')
    return {
      value: planned,
      facts: { plannedFiles: planned.files.length, plannedLargest: planned.largest, plannedTotal: planned.total },
    }
  }),
  of(needs.modelBundle, async ({ context: { planned }, signal, progress }) => {
    if (planned?.dir === undefined) throw new NotApplicable('no model folder was given: use --model')
    const value = await readBundle(planned.dir, planned.files, signal, progress)
    return { value, facts: { pickles: value.pickles.length, comparedAlike: value.twins.length } }
  }),
  of(needs.trainingTime, async ({ context: { trainingMs } }) => {
    if (trainingMs === undefined) throw new NotApplicable('--training-time is not given')
    return { value: trainingMs }
  }),
  of(needs.calling, async ({ context: { as = 'log_model' } }) => ({ value: as })),
  of(needs.orphanAge, async ({ context }) => ({ value: context.orphanAgeMs })),
  of(needs.depth, async ({ context }) => ({ value: context.depth ?? { kind: 'structure' } })),
  of(needs.tempFolder, async ({ context: { host } }) => {
    const value = await tempFolder(host)
    return {
      value,
      facts: {
        tempPath: value.path,
        tempFree: value.free,
        tempInMemory: value.inMemory,
        ...(value.filesystem ? { tempFilesystem: value.filesystem } : {}),
      },
    }
  }),
  of(needs.memory, async () => {
    const value = await hostMemory()
    return {
      value,
      facts: { memoryAvailable: value.available, ...(value.limit === undefined ? {} : { memoryLimit: value.limit }) },
    }
  }),
  of(needs.processLimits, async ({ context: { host } }) => {
    const value = await processLimits({ platform: host.platform })
    const { fileBytes, openFiles } = value
    return {
      value,
      facts: {
        ...(fileBytes !== undefined && { largestWritable: fileBytes }),
        ...(openFiles !== undefined && { openFiles }),
      },
    }
  }),
  of(needs.environment, async ({ context: { host } }) => ({ value: host.env })),
  of(needs.client, async ({ context: { host, python }, signal }) => {
    const looking = { env: host.env, cwd: host.cwd, platform: host.platform, python, signal }
    const value = await findClient(looking).catch((error: unknown) => {
      // Who names a Python must not get a forecast for another.
      if (python === undefined || !(error instanceof NotApplicable)) throw error
      const what = `cannot use --python ${python}`
      throw new Trouble({ kind: 'not-found', what, why: error.message, todo: 'Name the Python that trains' })
    })
    return { value, facts: { clientVersion: value.version, clientPython: value.python } }
  }),
  of(needs.logins, async ({ context: { host }, open }) => {
    const expiring = expiringLogins({ settings: await open(needs.settings), env: host.env, home: host.home })
    return { value: { expiring, now: Date.now() } }
  }),
  of(needs.tracking, async ({ open, signal }) => {
    const value = await openTracking(await open(needs.settings), { signal })
    const close = () => {
      if (value.kind === 'server') (value as TrackingServer).close()
    }
    return { value, facts: { trackingUri: value.uri }, close }
  }),
  of(needs.server, async ({ open }) => {
    const settings = await open(needs.settings)
    if (settings.trackingKind !== 'server') {
      throw new NotApplicable(
        `there is no tracking server: the tracking URI names a ${settings.trackingKind === 'sqlite' ? 'sqlite database' : 'folder'}`,
      )
    }
    const value = (await open(needs.tracking)) as TrackingServer
    const { version, software } = value.info
    return {
      value,
      facts: { ...(version ? { serverVersion: version } : {}), ...(software ? { serverSoftware: software } : {}) },
    }
  }),
  trackingReachOpener,
  targetOpener,
  loggedModelOpener,
  routeOpener,
  destinationFolderOpener,
  storeOpener,
  storeReachOpener,
  proxiesOpener,
  listingOpener,
  modelFilesOpener,
  localTreeOpener,
  manifestOpener,
  formatNamesOpener,
  folderPartsOpener,
  structuresOpener,
  contentsOpener,
  unfinishedUploadsOpener,
  runSignsOpener,
  outputsOpener,
  artifactRootOpener,
  of(needs.registry, async ({ open }) => ({ value: registryOf(await open(needs.tracking)) })),
  registrationsOpener,
  of(needs.strays, async () => {
    throw new NotApplicable('stray objects are looked for in whole experiments, with --stray')
  }),
  accessOpener,
  bodyLimitOpener,
  multipartCanaryOpener,
  pacedOpener,
  bucketSettingsOpener,
  keepingOpener,
  cloudRightsOpener,
  readRightsOpener,
  deleteRightOpener,
  checksumTriesOpener,
  signedAddressesOpener,
  leftoversOpener,
  transfersOpener,
]

/** Settings as MLflow resolves them, with what the command line says on top. @throws Trouble `usage` or `unsupported` */
export const settingsOf = ({ host, ...flags }: Needed) =>
  readSettings({
    env: host.env,
    cwd: host.cwd,
    home: host.home,
    flags: {
      trackingUri: flags.trackingUri,
      experiment: flags.experiment,
      artifactsDestination: flags.artifactsDestination,
      trustHosts: flags.trustedHosts,
    },
  })
