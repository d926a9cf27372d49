/** What this machine offers to an upload. All sizes in bytes. */

export interface Room {
  readonly total: number
  /** Free for this user, quota and reserved blocks taken off. */
  readonly free: number
  /** Absent on file systems that do not count inodes. */
  readonly freeInodes?: number
  /** As the kernel names it: `ext4`, `tmpfs`, `overlay`. */
  readonly filesystem?: string
  /** True when what is written here takes memory, not disk (tmpfs, ramfs). */
  readonly inMemory: boolean
  /** Tells file systems apart. */
  readonly device?: number
}

export interface TempFolder extends Room {
  /** The folder that Python's tempfile, and so MLflow's log_model, would use. */
  readonly path: string
  /** Which variable named it, or that none did. */
  readonly from: 'TMPDIR' | 'TEMP' | 'TMP' | 'default'
  /** The reason when nothing can be written there, nor in any other folder that Python would try: "read-only file system". */
  readonly unwritable?: string
  /** Folders that Python tries first and leaves without a word because nothing can be written there. */
  readonly passedOver?: readonly { readonly path: string; readonly from: TempFolder['from']; readonly why: string }[]
}

export interface HostMemory {
  readonly total: number
  /** What a new process can take before something is killed: the smallest over the machine and every cgroup above this process. */
  readonly available: number
  /** The tightest cgroup limit, where one is set. */
  readonly limit?: number
  /** The file that holds that limit. */
  readonly limitFrom?: string
  /** True when `available` is the pages that lie free, without those that the system would give up: the least that a process can take, and often far too little. */
  readonly rough?: true
  /** Logical processors, as `os.cpu_count()` of Python counts them. */
  readonly processors: number
}

/** Soft limits of a process (getrlimit(2)); absent where there is none. */
export interface ProcessLimits {
  /** RLIMIT_FSIZE, in bytes: the largest file that may be written. */
  readonly fileBytes?: number
  /** RLIMIT_NOFILE: files and connections together. */
  readonly openFiles?: number
}
