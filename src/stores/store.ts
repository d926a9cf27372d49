import type { RouteKind } from '../check.ts'
import type { Bucket, Right } from './bucket.ts'

/**
 * The contract of an artifact store. Paths are relative to the store's root, `/`-separated, never absolute, without `.`
 * or `..`: every method that takes one throws `Trouble` (`unsupported`) otherwise. What `list` and `unfinished` yield is
 * what the store holds, whatever it is called; such a name may be shown escaped, and refuses to be used as a path.
 */

export interface StoredFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds since the epoch, by the store's clock. */
  readonly modified?: number
  /** Without quotes. */
  readonly etag?: string
}

/** A part that the store holds of an unfinished upload. */
export interface Part {
  /** From 1 on. */
  readonly number: number
  /** Bytes. */
  readonly size: number
  /** Without quotes; the MD5 of the part unless the store encrypts with a customer's key. */
  readonly etag?: string
  /** CRC32 (ISO-HDLC, as `zlib.crc32`), where the store tells it. */
  readonly crc32?: number
  /** CRC-32C, for stores that keep that of the whole object. */
  readonly crc32c?: number
  /** Milliseconds since the epoch, by the store's clock. */
  readonly modified?: number
}

/** An upload that was begun and neither completed nor aborted. */
export interface UnfinishedUpload {
  readonly path: string
  readonly id: string
  /** Milliseconds since the epoch by the store's clock; absent where the store leaves it out (SeaweedFS) or says nonsense. */
  readonly initiated?: number
  /** Who began it, in the store's words. */
  readonly initiator?: string
}

/** What a multipart upload may look like on this store; each figure is the provider's documented limit. */
export interface UploadLimits {
  /** Bytes; the last part may be smaller. */
  readonly minPart: number
  readonly maxPart: number
  readonly maxParts: number
  readonly maxObject: number
  /** The part size that must be used, where the store prescribes one, such as the chunk that signed URLs were made for. */
  readonly alignment?: number
}

/** What a signed address tells of itself. */
export interface SignedFor {
  /** Milliseconds from signing on. */
  readonly validMs: number
  /** Signed with a login that expires by itself, and the address with it. */
  readonly temporary: boolean
  /** The most parts that can be put together, where the names that the server gives them set a limit: MLflow's blocks on Azure. */
  readonly maxParts?: number
}

export interface UploadPlan {
  /** Bytes. */
  readonly sourceSize: number
  /** Bytes of all parts but the last. */
  readonly partSize: number
  /** The path is of this tool's own making, for an upload that is given up: what that takes may be made there, and is removed again. */
  readonly disposable?: true
}

/** One open upload: parts in any order, several at once, each proved on arrival. */
export interface OpenUpload {
  /** Enough to find it again from another process with `resumeUpload`. Of a session of Google's it is the address, by which anybody may send the rest: never to be shown. */
  readonly id: string
  readonly path: string
  /** Of an upload by signed addresses whose lifetime shows in them (S3): how long that is. */
  readonly signed?: SignedFor
  /** Parts must be sent one after the other, from the first to the last, and once each: the store keeps no parts, only how far it has the file. */
  readonly ordered?: true
  /** The parts that the store holds now. A number that was sent twice appears once, with what was sent last, or not at all where the store does not tell which one that is (SeaweedFS, within a second). Undefined where this route cannot list them. */
  parts(signal?: AbortSignal): Promise<readonly Part[]> | undefined
  /** The store checks `crc32` (or an MD5 made from the same bytes) before it accepts the part; throws `Trouble` otherwise. `bytes` must not change until it settles. */
  send(number: number, bytes: Uint8Array, crc32: number, signal?: AbortSignal): Promise<Part>
  /**
   * Makes the object visible, whole or not at all. `whole.crc32` goes with it where the store can compare it.
   * `ifAbsent` asks the store to refuse (`conflict`) when an object of that name has appeared meanwhile, where it can;
   * `replaces`, to refuse when what is there is not this object any more. One or none of the two is given.
   * Each part should carry its `crc32`: an upload that another client began may ask for them all.
   */
  complete(
    parts: readonly Part[],
    whole: {
      readonly size: number
      readonly crc32: number
      readonly ifAbsent: boolean
      readonly replaces?: StoredFile
    },
    signal?: AbortSignal,
  ): Promise<void>
  /** Gives back the room that the parts take. An upload that is gone already is no error. */
  abort(signal?: AbortSignal): Promise<void>
}

/** A file for `putWhole`, read as a stream. */
export interface WholeSource {
  /** Bytes; exactly as many must come out of `open()`, each piece in memory of its own, since the last one is held back. */
  readonly size: number
  open(): AsyncIterable<Uint8Array>
}

/** Proof, from the store, of what an object holds. */
export interface ObjectProof {
  readonly size: number
  /** CRC32 of the whole object, where the store keeps it as such. */
  readonly crc32?: number
  /** CRC-32C of the whole object, likewise (Google Cloud Storage). */
  readonly crc32c?: number
  readonly etag?: string
}

/** Bytes that a store holds beside its objects and that one of them may be restored from, without their passing this machine. */
export interface Earlier {
  /** An earlier version of the object itself; a staged file beside it, whose name need not tell what it was to become. */
  readonly kind: 'version' | 'staged'
  /** Of the store's own making. */
  readonly id: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds since the epoch, by the store's clock. */
  readonly modified?: number
}

/** What a listing met, and could not tell as files. */
export interface PassedOver {
  /** Empty for the root itself. */
  readonly path: string
  /** A clause without a full stop. */
  readonly because: string
}

/** What a container of Azure's, or a bucket of Google's, does with what is replaced or removed. */
export interface Keeping {
  /** Why nothing there can be replaced or removed: "an immutability policy". */
  readonly locked?: string
  /** Days for which what was replaced or removed stays, and is paid for. */
  readonly removedDays?: number
  /** Whether each replaced object stays as a version. */
  readonly versions?: boolean
  /** What could not be read, and the permission that it takes. */
  readonly unread: readonly { readonly what: string; readonly action: string }[]
}

export interface Store {
  readonly kind: 'folder' | 's3' | 'azure' | 'gcs' | 'proxied'
  /** The root's full address for people, without credentials or signatures. */
  readonly uri: string
  /** How this store is reached: "your credentials, at the destination given by --artifacts-destination". */
  readonly reached: string
  /** The route by which `openUpload` sends. */
  readonly route: RouteKind
  readonly limits: UploadLimits

  /**
   * Everything below `prefix` (a folder, or the root), recursively, with bounded memory. Staged leftovers are not in here.
   * The order is the store's own, but what lies in a folder, at any depth, comes without anything from elsewhere in between:
   * whoever looks at folder after folder needs memory for one of them alone.
   */
  list(options?: { prefix?: string; signal?: AbortSignal }): AsyncIterable<StoredFile>
  /** What `list` met so far and did not yield, since it may hold files that cannot be looked at; absent where there is no such thing. */
  passedOver?(): readonly PassedOver[]
  stat(path: string, signal?: AbortSignal): Promise<StoredFile | undefined>
  /** `length` bytes from `offset`, fewer only at the end of the file. Throws `unsupported` where a range would fetch the whole object first. */
  read(path: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  proof(path: string, signal?: AbortSignal): Promise<ObjectProof | undefined>
  remove(path: string, signal?: AbortSignal): Promise<void>

  /** `sourceSize` in bytes; `partSize` is what all parts but the last will have. An empty file has no parts. */
  openUpload(path: string, plan: UploadPlan, signal?: AbortSignal): Promise<OpenUpload>
  /** The upload with that id, or undefined when it is gone or cannot be taken up again on this route. */
  resumeUpload(path: string, id: string, plan: UploadPlan, signal?: AbortSignal): Promise<OpenUpload | undefined>

  /**
   * Unfinished uploads below the root, or of the exact key `path`. Stores such as MinIO answer only for an exact key.
   * Throws `unsupported` where this route cannot list them, `denied` where it may not.
   */
  unfinished(options?: { path?: string; signal?: AbortSignal }): AsyncIterable<UnfinishedUpload>

  /**
   * What `unfinished` shows without a path: all uploads below the root, those of objects that do not exist yet, or only those
   * that are asked for by their exact key; `unknown` where nobody measured the store that answers. As of its last answer;
   * absent where it is all.
   */
  listsUploads?(): 'all' | 'of-new-objects' | 'by-key' | 'unknown'

  /**
   * Sends a whole file in one request; present where a tracking server stands in between: the only way for large files
   * where `route` is `proxied-put`, the second best where it is `signed-parts`. Overwrites what is there. A failure of
   * `open()`, or an abort, resets the connection, so that nothing short can be stored.
   */
  putWhole?(path: string, source: WholeSource, signal?: AbortSignal): Promise<void>

  /**
   * Sends an object that fits into memory and one request, visible at once, whole or not at all; present where the store
   * checks `crc32` (or an MD5 made from the same bytes) before it accepts it. `how` as in `OpenUpload.complete`; the caller
   * has looked just before, for stores that know no conditions. Hands back what the store confirmed.
   */
  putOne?(
    path: string,
    bytes: Uint8Array,
    crc32: number,
    how: { readonly ifAbsent: boolean; readonly replaces?: StoredFile },
    signal?: AbortSignal,
  ): Promise<ObjectProof>

  /** What the object of that path, which is not there, may be restored from, newest first; absent where the route shows no such thing. Looks only. */
  earlier?(path: string, signal?: AbortSignal): Promise<readonly Earlier[]>
  /** `length` bytes of one of those from `offset`, fewer only at its end. */
  readEarlier?(path: string, from: Earlier, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  /** Makes it the object of that path, within the store. Throws `conflict` when an object has appeared there meanwhile, as far as the store can tell. */
  restore?(path: string, from: Earlier, signal?: AbortSignal): Promise<void>

  /** Gives up an upload that `unfinished` listed, however it was begun. One that is gone already is no error. */
  abort(upload: UnfinishedUpload, signal?: AbortSignal): Promise<void>

  /** The parts of an upload that `unfinished` listed; looks only. A staged file counts as one part. */
  partsOf(upload: UnfinishedUpload, signal?: AbortSignal): Promise<readonly Part[]>

  /** Present on Azure and Google; looks only. */
  keeping?(signal?: AbortSignal): Promise<Keeping>
  /** What this login may do, as the store itself tells it; present on Google. Looks only. */
  rights?(signal?: AbortSignal): Promise<readonly Right[]>

  /** What only a bucket has, where this machine reaches one itself: its settings, and the rights in it. */
  readonly bucket?: Bucket

  /** Now, by the store's clock, in milliseconds since the epoch; undefined where it does not tell. */
  now(signal?: AbortSignal): Promise<number | undefined>
  close(): Promise<void>
}
