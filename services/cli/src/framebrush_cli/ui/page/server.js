// What is asked of the server.

export async function ask(path, method = "GET", body = undefined) {
  const answer = await fetch(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) throw new Error(await reason(answer));
  return answer;
}

async function reason(answer) {
  const text = await answer.text();
  try { return JSON.parse(text).error; } catch { return text || `the server answers ${answer.status}`; }
}

export async function post(path, body) {
  return (await (await ask(path, "POST", body)).json()).key;
}

export function upload(file, query, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells no progress of what is sent
    request.open("PUT", `drops?${new URLSearchParams({ name: file.name, ...query })}`);
    request.upload.onprogress = event => progress(event.loaded / event.total);
    request.onerror = () => reject(new Error("the server does not answer: does `framebrush ui` still run?"));
    request.onload = () => {
      const told = JSON.parse(request.responseText);
      request.status === 200 ? resolve(told.key) : reject(new Error(told.error));
    };
    request.send(file);
  });
}
