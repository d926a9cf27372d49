import { createHash, randomBytes } from 'node:crypto'
import { combineAllC } from '../crc32.ts'
import { crc32c } from '../crc32c.ts'
import { Trouble } from '../errors.ts'
import { withoutSecrets } from '../mlflow/location.ts'
import { type Patience, withRetry } from '../retry.ts'
import { duration } from '../words.ts'
import type { GcsConnection } from './gcs-client.ts'
import { chunkStep, type GcsObject, objectIn, openSession, type Session } from './gcs-session.ts'
import { gcsTrouble } from './gcs-trouble.ts'
import { xmlUploads } from './gcs-xml.ts'
import { requireCrc32, requireWhole } from './part-check.ts'
import { keysBelow, safeFolder } from './path.ts'
import { changedSincePlan } from './replaced.ts'
import type { ObjectProof, OpenUpload, Part, Store, StoredFile, UploadLimits, UploadPlan } from './store.ts'
import { crcFromBase64, crcToBase64 } from './wire-text.ts'

const MiB = 1024 ** 2

/** cloud.google.com/storage/quotas: an object has at most 5 TiB; a session knows no parts, and its chunks no upper bound. */
const limits: UploadLimits = {
  minPart: chunkStep,
  maxPart: 1024 * MiB,
  maxParts: 20_000_000,
  maxObject: 5 * 1024 ** 2 * MiB,
}

export interface GcsAddress {
  readonly bucket: string
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string
}

/** As MLflow reads it (gcs_artifact_repo.py, `parse_gcs_uri`). Throws `Trouble` (`usage`). */
export const parseGcsUri = (uri: string): GcsAddress => {
  const [, bucket, path = ''] = /^gs:\/\/([^/?#]+)([^?#]*)/i.exec(uri) ?? []
  if (bucket === undefined) {
    const why = 'it names no bucket'
    throw new Trouble({
      kind: 'usage',
      what: `cannot open ${withoutSecrets(uri)}`,
      why,
      todo: 'Write gs://<bucket>/<path>',
    })
  }
  return { bucket, prefix: path.replace(/^\/+|\/+$/g, '') }
}

/** For calls that change nothing: three tries, as with the other stores. */
const looking: Patience = { tries: 3, pauseMs: 200 }

const secondsOfDay = 86_400

/** What uploads, scan and repair take (cloud.google.com/storage/docs/access-control/iam-permissions). */
const permissions = [
  'storage.objects.create',
  'storage.objects.delete',
  'storage.objects.get',
  'storage.objects.list',
  'storage.multipartUploads.list',
  'storage.multipartUploads.abort',
] as const

/** No object: what a generation is compared with where none may be there. */
const none = '0'
const sessionId = /^session (\d+) (https?:\/\/\S+)$/
const xmlId = /^xml (\S+)$/

/** A checksum that was refused, as `gcsRefused` tells it. */
const isDamaged = (error: unknown): boolean =>
  error instanceof Trouble && error.kind === 'unavailable' && (error.status === 400 || error.status === 409)

const refusedAsChanged = (what: string): Trouble =>
  new Trouble({
    kind: 'conflict',
    what,
    why: 'an object of that name has appeared or changed meanwhile',
    todo: 'Look at that object before sending again',
  })

/** Google answers with addresses of its own hosts. */
const leadsTo = (endpoint: string, uri: string): boolean => {
  const to = URL.parse(uri)
  if (to === null) return false
  return (
    to.origin === endpoint || [endpoint, to.origin].every((each) => /^https:\/\/[\w.-]+\.googleapis\.com$/.test(each))
  )
}

export const gcsStore = (connection: GcsConnection, root: GcsAddress, reached: string): Store => {
  const { sdk, endpoint } = connection
  const bucket = sdk.bucket(root.bucket)
  const xml = xmlUploads(connection, root.bucket)
  const uriOf = (name: string): string => `gs://${root.bucket}/${name}`
  const { keyOf: nameOf, below, relative } = keysBelow(root.prefix)

  /** A call of the SDK: a look, or the beginning of a session, which may be repeated. It cannot be interrupted: its answer is no longer waited for. */
  const run = async <T>(
    what: string,
    action: string,
    signal: AbortSignal | undefined,
    act: () => Promise<T>,
  ): Promise<T> => {
    signal?.throwIfAborted()
    const stop = Promise.withResolvers<never>()
    const interrupted = () => stop.reject(signal?.reason)
    signal?.addEventListener('abort', interrupted, { once: true })
    const once = async (): Promise<T> => {
      try {
        return await Promise.race([act(), stop.promise])
      } catch (error) {
        signal?.throwIfAborted()
        throw gcsTrouble({ what, action, endpoint }, error)
      }
    }
    try {
      return await withRetry(once, looking, signal)
    } finally {
      signal?.removeEventListener('abort', interrupted)
    }
  }

  interface Described extends Partial<GcsObject> {
    readonly updated?: string
  }
  const describe = async (name: string, signal: AbortSignal | undefined): Promise<Described | undefined> => {
    try {
      const [metadata] = await run(`cannot look at ${uriOf(name)}`, 'storage.objects.get', signal, () =>
        bucket.file(name).getMetadata(),
      )
      return metadata as Described
    } catch (error) {
      // A bucket that is not there answers with the same status, and no look at it may pass for an object that is missing.
      if (!(error instanceof Trouble) || error.kind !== 'not-found') throw error
      if (/bucket does not exist/i.test(String((error.cause as Error | undefined)?.message ?? ''))) throw error
      return undefined
    }
  }
  const fileOf = (path: string, { size, updated, generation }: Described): StoredFile => ({
    path,
    size: Number(size ?? 0),
    ...(updated === undefined ? {} : { modified: Date.parse(updated) }),
    // What is told apart is the generation; the ETag changes with the metadata.
    ...(generation === undefined ? {} : { etag: String(generation) }),
  })

  /** Objects that this process has made, by name, and whose CRC-32C the store has confirmed: the CRC32 of the same bytes. */
  const confirmed = new Map<string, { readonly generation: string; readonly crc32: number }>()

  /** Throws `conflict` unless what is there may be replaced; hands back its generation. */
  const mayReplace = async (
    what: string,
    name: string,
    how: { readonly ifAbsent: boolean; readonly replaces?: StoredFile },
    signal: AbortSignal | undefined,
  ): Promise<string> => {
    const generation = String((await describe(name, signal))?.generation ?? none)
    if (how.ifAbsent && generation !== none) throw refusedAsChanged(what)
    if (how.replaces?.etag !== undefined && how.replaces.etag !== generation) throw changedSincePlan(what)
    return generation
  }

  /** Chunks of one file go in order. Until the last byte is sent nothing is visible, so a few of them are held back for the completion. */
  const sessionUpload = (
    path: string,
    id: string,
    { session, generation }: { readonly session: Session; readonly generation: string },
    plan: UploadPlan,
    heldAtFirst: number,
  ): OpenUpload => {
    const name = nameOf(path)
    let held = heldAtFirst
    /** Whether the store may hold another number of bytes: an answer was lost. */
    let doubtful = false
    let tail = new Uint8Array()
    const tailAt = Math.max(0, Math.floor((plan.sourceSize - 1) / chunkStep) * chunkStep)

    const lost = (what: string): Trouble =>
      new Trouble({ kind: 'not-found', what, why: 'the upload session is gone', todo: 'Run the same command again' })

    const catchUp = async (what: string, signal: AbortSignal | undefined): Promise<void> => {
      if (!doubtful) return
      const is = await session.held(signal)
      if (is === undefined) throw lost(what)
      held = is
      doubtful = false
    }

    return {
      id,
      path,
      ordered: true,
      async parts(signal) {
        doubtful = true
        await catchUp(`cannot look at the upload of ${uriOf(name)}`, signal)
        const whole = Math.floor(Math.min(held, tailAt) / plan.partSize)
        return Array.from({ length: whole }, (_, n) => ({ number: n + 1, size: plan.partSize }))
      },
      async send(number, bytes, crc32, signal): Promise<Part> {
        const what = `cannot send part ${number} of ${uriOf(name)}`
        requireCrc32(what, bytes, crc32)
        signal?.throwIfAborted()
        await catchUp(what, signal)
        const start = (number - 1) * plan.partSize
        const end = start + bytes.length
        const until = end === plan.sourceSize ? Math.max(start, tailAt) : end
        // What the store has confirmed is what it holds; with less, the session is of no use.
        if (held < start) throw lost(what)
        while (held < until) {
          // A step back to a whole chunk: what is there already is passed over.
          const from = Math.max(start, Math.floor(held / chunkStep) * chunkStep)
          doubtful = true
          const now = await session.send(from, bytes.subarray(from - start, until - start), signal)
          doubtful = false
          if (now <= held)
            throw new Trouble({ kind: 'unavailable', what, why: 'the store took none of it', todo: 'Try again' })
          held = now
        }
        if (end === plan.sourceSize) tail = bytes.slice(until - start)
        return { number, size: bytes.length, crc32, crc32c: crc32c(bytes) }
      },
      async complete(parts, whole, signal) {
        const what = `cannot complete the upload of ${uriOf(name)}`
        const sorted = parts.toSorted((a, b) => a.number - b.number)
        requireWhole(what, 'parts', sorted, whole.crc32)
        if ((await mayReplace(what, name, whole, signal)) !== generation) throw refusedAsChanged(what)
        const sum = combineAllC(sorted)
        const at = plan.sourceSize - tail.length
        await catchUp(what, signal)
        if (held < at) throw lost(what)
        const rest = tail.subarray(held - at)
        doubtful = true
        const made = await session.finish(held, rest, plan.sourceSize, sum, signal).catch(async (error: unknown) => {
          if (!isDamaged(error)) throw error
          // What it holds is not what was sent, and nothing of it can be put right.
          await session.cancel(signal)
          const why = 'the store refused the checksum of the whole: it was damaged on the way'
          throw new Trouble({ kind: 'not-found', what, why, todo: 'Run the same command again' })
        })
        if ('held' in made) {
          throw new Trouble({
            kind: 'unavailable',
            what,
            why: 'the store wants more bytes',
            todo: 'Run the same command again',
          })
        }
        if (Number(made.size) !== whole.size || (sum !== undefined && crcFromBase64(made.crc32c) !== sum)) {
          throw new Trouble({
            kind: 'conflict',
            what,
            why: 'the store has made an object of it with another size or CRC-32C than was sent',
            todo: `Scan the target, and repair it with --overwrite ${path}`,
          })
        }
        if (sum !== undefined) confirmed.set(name, { generation: made.generation, crc32: whole.crc32 })
      },
      abort: (signal) => session.cancel(signal),
    }
  }

  /** An upload that MLflow's server began: its parts tell their MD5, and may come in any order. */
  const xmlUpload = (path: string, id: string, uploadId: string): OpenUpload => {
    const name = nameOf(path)
    return {
      id,
      path,
      parts: (signal) => xml.parts(name, uploadId, signal),
      send: async (number, bytes, crc32, signal) => ({
        ...(await xml.send(name, uploadId, number, bytes, crc32, signal)),
        crc32c: crc32c(bytes),
      }),
      async complete(parts, whole, signal) {
        const what = `cannot complete ${uriOf(name)}`
        const generation = await mayReplace(what, name, whole, signal)
        await xml.complete(name, uploadId, parts, generation, signal)
      },
      abort: (signal) => xml.abort(name, uploadId, signal),
    }
  }

  const media = (name: string): string => `/storage/v1/b/${root.bucket}/o/${encodeURIComponent(name)}?alt=media`

  return {
    kind: 'gcs',
    uri: uriOf(root.prefix),
    reached,
    route: 'store-multipart',
    limits,

    async *list({ prefix = '', signal } = {}) {
      const from = below(safeFolder(prefix))
      let query: object | null = { prefix: from, autoPaginate: false, maxResults: 1000 }
      while (query !== null) {
        const page: object = query
        const [files, next] = await run(`cannot list ${uriOf(from)}`, 'storage.objects.list', signal, () =>
          bucket.getFiles(page),
        )
        for (const file of files) {
          const path = relative(file.name)
          // A folder that the console made is an object of its own.
          if (path !== '' && !file.name.endsWith('/')) yield fileOf(path, file.metadata as Described)
        }
        query = next ?? null
      }
    },

    async stat(path, signal) {
      const is = await describe(nameOf(path), signal)
      return is && fileOf(path, is)
    },

    async read(path, at, length, signal) {
      const name = nameOf(path)
      if (length === 0) return new Uint8Array()
      const answer = await connection.call({
        ...{
          method: 'GET',
          url: media(name),
          what: `cannot read ${uriOf(name)}`,
          action: 'storage.objects.get',
          signal,
        },
        // Without the wish for gzip, what is stored compressed is unpacked on the way, and the range is ignored.
        headers: { range: `bytes=${at}-${at + length - 1}`, 'accept-encoding': 'gzip' },
        also: [416],
      })
      if (answer.status === 416) {
        await answer.done()
        return new Uint8Array()
      }
      if (answer.status !== 206 && at > 0) {
        await answer.done().catch(() => undefined)
        const why = 'the store ignores the wish for a part of the object'
        throw new Trouble({
          kind: 'unsupported',
          what: `cannot read ${uriOf(name)}`,
          why,
          todo: 'Look at the endpoint',
        })
      }
      return answer.read(length)
    },

    async proof(path, signal): Promise<ObjectProof | undefined> {
      const name = nameOf(path)
      const is = await describe(name, signal)
      if (is === undefined) return undefined
      const own = confirmed.get(name)
      const sum = crcFromBase64(is.crc32c)
      return {
        size: Number(is.size ?? 0),
        ...(own !== undefined && own.generation === String(is.generation) ? { crc32: own.crc32 } : {}),
        ...(sum === undefined ? {} : { crc32c: sum }),
        ...(is.md5Hash === undefined ? {} : { etag: Buffer.from(is.md5Hash, 'base64').toString('hex') }),
      }
    },

    async remove(path, signal) {
      const name = nameOf(path)
      await run(`cannot remove ${uriOf(name)}`, 'storage.objects.delete', signal, () =>
        bucket.file(name).delete({ ignoreNotFound: true }),
      )
    },

    async openUpload(path, plan, signal) {
      const name = nameOf(path)
      const generation = String((await describe(name, signal))?.generation ?? none)
      const [uri] = await run(`cannot begin the upload of ${uriOf(name)}`, 'storage.objects.create', signal, () =>
        bucket.file(name).createResumableUpload({
          metadata: { contentType: 'application/octet-stream' },
          preconditionOpts: { ifGenerationMatch: generation },
        }),
      )
      const session = openSession(connection, uri, { uri: uriOf(name) })
      return sessionUpload(path, `session ${generation} ${uri}`, { session, generation }, plan, 0)
    },

    async resumeUpload(path, id, plan, signal) {
      const name = nameOf(path)
      const [, uploadId] = xmlId.exec(id) ?? []
      if (uploadId !== undefined) return xmlUpload(path, id, uploadId)
      const [, generation, uri] = sessionId.exec(id) ?? []
      // Bytes of a model go to the store, wherever a note says that they should go.
      if (generation === undefined || uri === undefined || !leadsTo(endpoint, uri)) return undefined
      const session = openSession(connection, uri, { uri: uriOf(name) })
      const held = await session.held(signal)
      return held === undefined ? undefined : sessionUpload(path, id, { session, generation }, plan, held)
    },

    async *unfinished({ path, signal } = {}) {
      const from = path === undefined ? below('') : nameOf(path)
      for await (const { name, ...upload } of xml.list(from, signal)) {
        if (path === undefined || name === from) yield { ...upload, path: relative(name), id: `xml ${upload.id}` }
      }
    },

    async putOne(path, bytes, crc, how, signal) {
      const name = nameOf(path)
      const what = `cannot write ${uriOf(name)}`
      requireCrc32(what, bytes, crc)
      const generation = await mayReplace(what, name, how, signal)
      const sum = crc32c(bytes)
      const md5 = createHash('md5').update(bytes).digest()
      const boundary = `mlflow-doctor-${randomBytes(16).toString('hex')}`
      // The store compares both before it makes the object visible.
      const metadata = { name, crc32c: crcToBase64(sum), md5Hash: md5.toString('base64') }
      const type = 'Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary'
      const head = `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(metadata)}\r\n--${boundary}\r\n${type}\r\n\r\n`
      const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)])
      const query = new URLSearchParams({ uploadType: 'multipart', name, ifGenerationMatch: generation })
      const answer = await connection.call({
        ...{ method: 'POST', url: `/upload/storage/v1/b/${root.bucket}/o?${query}`, what, body, signal },
        action: 'storage.objects.create',
        headers: { 'content-type': `multipart/related; boundary=${boundary}`, 'content-length': String(body.length) },
      })
      const made = await objectIn(answer, what)
      if (crcFromBase64(made.crc32c) === sum) confirmed.set(name, { generation: made.generation, crc32: crc })
      return {
        size: Number(made.size),
        ...(made.md5Hash === undefined ? {} : { etag: Buffer.from(made.md5Hash, 'base64').toString('hex') }),
      }
    },

    async abort({ path, id }, signal) {
      const [, uploadId] = xmlId.exec(id) ?? []
      if (uploadId !== undefined) await xml.abort(nameOf(path), uploadId, signal)
    },

    async partsOf({ path, id }, signal) {
      const [, uploadId] = xmlId.exec(id) ?? []
      return uploadId === undefined ? [] : xml.parts(nameOf(path), uploadId, signal)
    },

    async keeping(signal) {
      const asked = 'storage.buckets.get'
      const is = await run(`cannot look at ${uriOf('')}`, asked, signal, () => bucket.getMetadata()).catch(
        (error: unknown) => {
          if (error instanceof Trouble && ['denied', 'unauthenticated'].includes(error.kind)) return undefined
          throw error
        },
      )
      if (is === undefined) return { unread: [{ what: 'the retention of the bucket', action: asked }] }
      const [{ retentionPolicy, softDeletePolicy, versioning, defaultEventBasedHold }] = is
      const seconds = Number(retentionPolicy?.retentionPeriod ?? 0)
      const locked =
        seconds > 0
          ? `a retention policy of ${duration(seconds * 1000)}`
          : defaultEventBasedHold === true
            ? 'an event-based hold on every object'
            : undefined
      const kept = Number(softDeletePolicy?.retentionDurationSeconds ?? 0)
      return {
        ...(locked === undefined ? {} : { locked }),
        removedDays: Math.round(kept / secondsOfDay),
        versions: versioning?.enabled === true,
        unread: [],
      }
    },

    async rights(signal) {
      const [granted] = await run(`cannot ask for the permissions in ${uriOf('')}`, 'none', signal, () =>
        bucket.iam.testPermissions([...permissions]),
      )
      const told = granted as Readonly<Record<string, boolean>>
      return permissions.map((action) => ({ action, state: told[action] === true ? 'granted' : 'denied' }))
    },

    async now(signal) {
      if (connection.clockOffset() === undefined) {
        // Any answer has a date; this one needs no permission that a refusal would not tell the time with as well.
        const answer = await connection.call({
          ...{
            method: 'GET',
            url: `/storage/v1/b/${root.bucket}?fields=name`,
            what: `cannot ask ${endpoint} for the time`,
          },
          ...{ action: 'storage.buckets.get', signal, also: [401, 403, 404] },
        })
        await answer.done()
      }
      const offset = connection.clockOffset()
      return offset === undefined ? undefined : Date.now() + offset
    },

    close: () => connection.close(),
  }
}
