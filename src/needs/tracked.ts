/** Needs that the tracking store answers. */

import { NotApplicable, Trouble } from '../errors.ts'
import { existing, room } from '../host/room.ts'
import { schemeOf } from '../mlflow/location.ts'
import { resolveRoute } from '../mlflow/route.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import { destination, resolveTargets } from '../mlflow/target.ts'
import { client, destinationFolder, loggedModel, route, server, settings, target, tracking } from './declarations.ts'
import type { Needed } from './needed.ts'
import { type Opening, opener } from './opener.ts'

/** Where a new upload would go. A scan presets its targets, so this is opened by `check` alone. */
export const targetOpener = opener(target, async ({ context, open, signal }: Opening<Needed>) => {
  const tracked = await open(tracking)
  if (context.runId === undefined) return { value: await destination(await open(settings), tracked, signal) }
  for await (const found of resolveTargets({ kind: 'run', runId: context.runId }, tracked, signal))
    return { value: found }
  throw new Trouble({
    kind: 'not-found',
    what: `cannot find run ${context.runId}`,
    why: 'the tracking store has no such run',
    todo: 'Check --run and the tracking URI',
  })
})

export const routeOpener = opener(route, async ({ open }: Opening<Needed>) => {
  const found = await open(target)
  // A folder or a bucket of one's own can be looked at while the tracking server is down.
  const served = ['mlflow-artifacts', 'http', 'https'].includes(schemeOf(found.artifactUri))
  const asked = served ? open(server) : Promise.resolve(undefined)
  const spoken = await asked.catch((error: unknown): TrackingServer | undefined => {
    if (error instanceof NotApplicable) return undefined
    throw error
  })
  const training = await open(client).catch((error: unknown): undefined => {
    if (error instanceof NotApplicable) return undefined
    throw error
  })
  const value = await resolveRoute(found, await open(settings), spoken, training?.version)
  const { location, firstHop, proxied, multipart, credentials } = value
  return { value, facts: { location, firstHop, proxied, multipart, storeOpenedBy: credentials } }
})

export const loggedModelOpener = opener(loggedModel, async ({ open }: Opening<Needed>) => {
  const { model, name } = await open(target)
  if (!model) throw new NotApplicable(`${name} is no logged model`)
  return { value: model }
})

export const destinationFolderOpener = opener(destinationFolder, async ({ open }: Opening<Needed>) => {
  const { scheme, firstHop } = await open(route)
  if (scheme !== 'file') throw new NotApplicable('artifacts are not copied into a folder by this machine')
  const value = { path: firstHop, ...(await room(await existing(firstHop))) }
  const { free, filesystem } = value
  return {
    value,
    facts: { destinationFree: free, ...(filesystem !== undefined && { destinationFilesystem: filesystem }) },
  }
})
