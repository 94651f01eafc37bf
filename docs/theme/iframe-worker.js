// Browsers start no worker for a page that is opened from a folder. The search then runs in a hidden
// frame, which talks as a worker does. The name of this file is what the plugin “offline” looks for.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.inside.postMessage = (data) =>
        setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })))
      const script = this.inside.document.createElement("script")
      this.ready = new Promise((done) => (script.onload = done))
      script.src = url
      this.inside.document.body.append(script)
    }

    postMessage(data) {
      const event = () => new this.inside.MessageEvent("message", { data })
      this.ready.then(() => this.inside.dispatchEvent(event()))
    }

    terminate() {
      this.inside.frameElement.remove()
    }
  }
}
