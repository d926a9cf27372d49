/** Every command: one file each, one line here. */
import check from './check.ts'
import type { Command } from './command.ts'
import completion from './completion.ts'
import demo from './demo.ts'
import explain from './explain.ts'
import guard from './guard.ts'
import list from './list.ts'
import render from './render.ts'
import repair from './repair.ts'
import scan from './scan.ts'
import schema from './schema.ts'
import upload from './upload.ts'

export const commands: readonly Command[] = [
  ...[check, scan, repair, upload, guard],
  ...[explain, list, render, schema, completion, demo],
]
