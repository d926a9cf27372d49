import { defineCommand } from './command.ts'

export default defineCommand({
  name: 'demo',
  summary: 'Show the main job on a throw-away local store: scan, repair, scan again',
  options: {},
  // Each of its command lines is run as this one was.
  perform: async () => (await import('../demo/index.ts')).demonstrate(process.argv[1] ?? ''),
})
