/**
 * Firefox looks for finished GPU work on a 100 ms timer (bug 1870699), so that every readback of a test would wait
 * for that timer. A submission makes it look too: while a map is pending, this submits nothing, every few
 * milliseconds. Measured on lavapipe: 100 ms a readback without it, 5 ms with it. Delete it when the bug is closed.
 */
const devices = new WeakMap<GPUBuffer, GPUDevice>();

const createBuffer = GPUDevice.prototype.createBuffer;
GPUDevice.prototype.createBuffer = function (this: GPUDevice, descriptor) {
  const buffer = createBuffer.call(this, descriptor);
  devices.set(buffer, this);
  return buffer;
};

const mapAsync = GPUBuffer.prototype.mapAsync;
GPUBuffer.prototype.mapAsync = async function (this: GPUBuffer, ...options) {
  const timer = setInterval(() => devices.get(this)?.queue.submit([]), 2);
  try {
    return await mapAsync.apply(this, options);
  } finally {
    clearInterval(timer);
  }
};

const onSubmittedWorkDone = GPUQueue.prototype.onSubmittedWorkDone;
GPUQueue.prototype.onSubmittedWorkDone = async function (this: GPUQueue) {
  const timer = setInterval(() => this.submit([]), 2);
  try {
    return await onSubmittedWorkDone.call(this);
  } finally {
    clearInterval(timer);
  }
};
