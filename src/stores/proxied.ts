import { randomBytes } from 'node:crypto'
import { Trouble } from '../errors.ts'
import type { TrackingServer } from '../mlflow/server.ts'
import { requireCrc32 } from './part-check.ts'
import { baseOf, folderOf, join, safeFolder, safePath, unsafeBecause } from './path.ts'
import { listProxied, sizeOf } from './proxied-list.ts'
import { proxiedPaths, proxiedRoot } from './proxied-location.ts'
import { putThrough } from './proxied-put.ts'
import { rangesThrough } from './proxied-read.ts'
import { removeThrough } from './proxied-remove.ts'
import { abortSigned, beginSignedUpload, type ProxiedAccess } from './proxied-upload.ts'
import { signedUrls } from './signed-url.ts'
import type { OpenUpload, Store, StoredFile, UploadLimits } from './store.ts'

const MiB = 1024 ** 2

/** S3's, which are the tightest of the three stores that MLflow signs parts for (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html; 5 TiB is what stores other than AWS state). */
const signedLimits: UploadLimits = {
  minPart: 5 * MiB,
  maxPart: 5 * 1024 * MiB,
  maxParts: 10_000,
  maxObject: 5 * 1024 ** 2 * MiB,
}
/** One request carries the whole file; what stands in between may set a limit, MLflow's server does not. */
const wholeLimits: UploadLimits = {
  minPart: 1,
  maxPart: Number.MAX_SAFE_INTEGER,
  maxParts: 1,
  maxObject: Number.MAX_SAFE_INTEGER,
}

/** Folders deeper, or more of them, than this are an answer that goes round in circles; one call each. */
const deepest = 200
const mostFolders = 100_000

/**
 * Artifacts behind a tracking server, reached with nothing but the login for that server. No checksums, no times and no
 * unfinished uploads can be seen on this route; sizes can.
 */
export const proxiedStore = (server: TrackingServer, location: string, reached: string): Store => {
  const root = proxiedRoot(location, server.uri)
  const paths = proxiedPaths(root)
  const signed = signedUrls(server.settings)
  const { info, settings } = server
  // As MLflow's client decides: the variable wins, and without it the server is asked.
  const multipart =
    settings.proxyMultipart === true
      ? info.multipartUploads !== false
      : settings.proxyMultipart !== false && info.multipartUploads === true

  const listFolder = (folder: string, signal?: AbortSignal) => listProxied(server, join(root, folder), signal)

  const stat = async (path: string, signal?: AbortSignal): Promise<StoredFile | undefined> => {
    paths.within(path)
    const entries = await listFolder(folderOf(path), signal)
    const found = entries.find(({ name, folder }) => !folder && name === baseOf(path))
    return found && { path, size: await sizeOf(server, found, () => paths.file(path), signal) }
  }

  const refuseIfPresent: ProxiedAccess['refuseIfPresent'] = async (path, signal) => {
    if ((await stat(path, signal)) === undefined) return
    throw new Trouble({
      kind: 'conflict',
      what: `cannot write ${path}`,
      why: 'a file of that name has appeared meanwhile',
      todo: 'Look at that file before sending again',
    })
  }
  const putWhole: Store['putWhole'] = async (path, source, signal) =>
    putThrough(server, paths.file(path), `cannot send ${path}`, source, signal)

  const removeFile = (path: string, signal: AbortSignal | undefined) =>
    removeThrough(server, paths.file(path), path, signal)
  let maxParts = signedLimits.maxParts
  const learnMaxParts = (most: number) => {
    maxParts = most
  }
  const access: ProxiedAccess = { server, paths, signed, refuseIfPresent, learnMaxParts, remove: removeFile }
  const unseen = (): Trouble =>
    new Trouble({
      kind: 'unsupported',
      what: `cannot list the unfinished uploads of ${location}`,
      why: `it is reached ${reached}, which has no call for it`,
      todo: "Give --artifacts-destination and credentials for the server's store",
    })

  /** Bytes of what was listed: a read inside of that much needs no new look at the folder, which takes a second where it holds 10,000 files. */
  const sizes = new Map<string, number>()

  async function* list({ prefix = '', signal }: Parameters<Store['list']>[0] = {}): AsyncIterable<StoredFile> {
    const waiting = [safeFolder(prefix)]
    let asked = 0
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
      asked += 1
      const deep = folder.split('/').length > deepest
      if (deep || asked > mostFolders || waiting.length > mostFolders) {
        throw new Trouble({
          kind: 'unexpected-answer',
          what: `cannot list ${location}`,
          why: `the server tells of ${deep ? `folders more than ${deepest} deep` : `more than ${mostFolders} folders`}`,
          todo: 'Look at the artifacts on the server',
        })
      }
      for (const entry of await listFolder(folder, signal)) {
        const { name } = entry
        // Asked for a file, some servers list the file itself.
        if (name.includes('/') && name === join(root, folder)) continue
        const path = join(folder, name)
        const unsafe = unsafeBecause(name)
        if (name === '' || (entry.folder && (unsafe !== undefined || name.includes('/')))) {
          throw new Trouble({
            kind: 'unexpected-answer',
            what: `cannot list ${location}`,
            why: `the server tells of a folder or file named ${JSON.stringify(name.slice(0, 200))}, which cannot be looked into`,
            todo: 'Look at the artifacts on the server',
          })
        }
        if (entry.folder) {
          waiting.push(path)
          continue
        }
        // A name that is no path, or none that this server takes, cannot be asked for; it is told as it is. The stores behind MLflow all know sizes, so that only an empty file comes without one.
        const asIs = unsafeBecause(path) !== undefined || paths.beyond(path)
        const size = asIs ? (entry.size ?? 0) : await sizeOf(server, entry, () => paths.file(path), signal)
        sizes.set(path, size)
        yield { path, size }
      }
    }
  }

  const reader = rangesThrough(server, paths, signed, list)

  return {
    kind: 'proxied',
    uri: `mlflow-artifacts:/${root}`,
    reached,
    route: multipart ? 'signed-parts' : 'proxied-put',
    // What stands behind the server shows in the addresses that it signs, and not before.
    get limits() {
      return multipart ? { ...signedLimits, maxParts } : wholeLimits
    },
    list,
    stat: async (path, signal) => stat(safePath(path), signal),

    async read(path, offset, length, signal) {
      const listed = sizes.get(safePath(path)) ?? 0
      if (offset + length <= listed) return reader.read(path, listed, offset, length, signal)
      const found = await stat(path, signal)
      if (found !== undefined) return reader.read(path, found.size, offset, length, signal)
      throw new Trouble({
        kind: 'not-found',
        what: `cannot read ${path}`,
        why: 'the server lists no such file',
        todo: 'Check the path',
      })
    },

    async proof(path, signal) {
      const found = await stat(safePath(path), signal)
      if (found === undefined) return undefined
      const etag = await reader.etag(path, signal)
      return { size: found.size, ...(etag === undefined ? {} : { etag }) }
    },

    async remove(path, signal) {
      // Of a folder's name the server would remove everything below it.
      const entries = (await listFolder(folderOf(safePath(path)), signal)).filter(({ name }) => name === baseOf(path))
      if (entries.length === 0) return
      if (entries.some(({ folder }) => folder)) {
        throw new Trouble({
          kind: 'conflict',
          what: `cannot remove ${path}`,
          why: 'a folder has this name, and the server would remove all that it holds',
          todo: 'Remove the file with the tools of the store itself',
        })
      }
      await removeFile(path, signal)
    },

    async openUpload(path, plan, signal) {
      safePath(path)
      // An empty file has no parts, and multipart uploads have at least one.
      if (multipart && plan.sourceSize > 0) return beginSignedUpload(access, path, plan, signal)
      return heldUpload(path, paths.within(path), putWhole, refuseIfPresent)
    },

    /** A server signs the parts of an upload once only, so the old upload is aborted as far as possible and never taken up. */
    async resumeUpload(path, id, _plan, signal) {
      safePath(path)
      if (multipart) await abortSigned(access, path, id, signal).catch(() => undefined)
      return undefined
    },

    // biome-ignore lint/correctness/useYield: it has nothing to give, and says why.
    async *unfinished() {
      throw unseen()
    },
    partsOf: async () => {
      throw unseen()
    },
    abort: async () => {
      throw unseen()
    },
    putWhole,

    async now(signal) {
      const what = 'ask the tracking server for the time'
      const { response } = await server.text('GET', '/version', { what, ...(signal && { signal }) })
      const date = Date.parse(response.headers.get('date') ?? '')
      return Number.isNaN(date) ? undefined : date
    },

    close: () => signed.close(),
  }
}

/** The upload contract over a single PUT: the one part is held in memory and sent at completion. Large files go by `putWhole`. */
const heldUpload = (
  path: string,
  full: string,
  putWhole: NonNullable<Store['putWhole']>,
  refuseIfPresent: ProxiedAccess['refuseIfPresent'],
): OpenUpload => {
  let held: Uint8Array = new Uint8Array()
  return {
    id: `${baseOf(full)}-${randomBytes(6).toString('hex')}`,
    path,
    parts: () => undefined,
    async send(number, bytes, crc32, signal) {
      signal?.throwIfAborted()
      if (number !== 1) throw new RangeError(`part ${number} of 1`)
      requireCrc32(`cannot send ${path}`, bytes, crc32)
      held = bytes
      return { number, size: bytes.length, crc32 }
    },
    async complete(_parts, whole, signal) {
      const body = held
      if (whole.ifAbsent) await refuseIfPresent(path, signal)
      requireCrc32(`cannot send ${path}`, body, whole.crc32)
      const open = async function* () {
        yield body
      }
      await putWhole(path, { size: body.length, open }, signal)
    },
    async abort() {
      held = new Uint8Array()
    },
  }
}
