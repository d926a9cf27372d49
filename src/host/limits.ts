import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProcessLimits } from './types.ts'

/**
 * The soft limits that a training process inherits which is started as this one was. `root` is where /proc is looked for.
 * Node raises its own number of open files to the hard limit when it starts, so that one is read from the parent process.
 * Outside Linux a shell is asked. Never throws; what cannot be read sets no limit.
 */
export const processLimits = async (
  of: { readonly root?: string; readonly parent?: number; readonly platform?: NodeJS.Platform } = {},
): Promise<ProcessLimits> => {
  const { root = '/', parent = process.ppid, platform = process.platform } = of
  if (platform === 'win32') return {}
  if (platform !== 'linux') return inShell()
  const [own, above] = await Promise.all(
    ['self', String(parent)].map((name) => readFile(join(root, 'proc', name, 'limits'), 'utf8').catch(() => '')),
  )
  const fileBytes = soft(own ?? '', 'Max file size')
  const openFiles = soft(above || (own ?? ''), 'Max open files')
  return { ...(fileBytes !== undefined && { fileBytes }), ...(openFiles !== undefined && { openFiles }) }
}

/** proc_pid_limits(5): `Max file size   2048000   unlimited   bytes`. */
const soft = (content: string, name: string): number | undefined => {
  const line = content.split('\n').find((one) => one.startsWith(name))
  return whole(line?.slice(name.length).trim().split(/\s+/)[0])
}

/** `ulimit -f` of a POSIX shell counts blocks of 512 bytes. */
const inShell = (): Promise<ProcessLimits> =>
  new Promise((done) => {
    execFile('/bin/sh', ['-c', 'ulimit -Sf; ulimit -Sn'], { timeout: 2000 }, (error, stdout) => {
      const [blocks, files] = error === null ? stdout.split('\n').map((line) => whole(line.trim())) : []
      done({
        ...(blocks !== undefined && { fileBytes: blocks * 512 }),
        ...(files !== undefined && { openFiles: files }),
      })
    })
  })

const whole = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
