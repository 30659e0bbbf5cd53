// The desktop's own notice of a call, for an agent who reads another tab or window while it rings.

export type Allowed = NotificationPermission | 'unsupported'

/** `unsupported`: the browser has no notices, or not for a page that came over http. */
export function allowed(): Allowed {
  return 'Notification' in globalThis && globalThis.isSecureContext ? Notification.permission : 'unsupported'
}

/** Ask the person; browsers want that to follow a click. */
export async function askLeave(): Promise<Allowed> {
  if (allowed() === 'default') await Notification.requestPermission()
  return allowed()
}

/** Show it where the page is not seen and the person allows; what takes it away again. */
export function notice(title: string, body: string): () => void {
  if (!document.hidden || allowed() !== 'granted') return () => undefined
  try {
    // One tag: two tabs of one agent make one notice.
    const shown = new Notification(title, { body, tag: 'hotline-ring', requireInteraction: true })
    shown.onclick = () => {
      window.focus()
      shown.close()
    }
    return () => shown.close()
  } catch {
    // Browsers of telephones leave them to service workers.
    return () => undefined
  }
}
