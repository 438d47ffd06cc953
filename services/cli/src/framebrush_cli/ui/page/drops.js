// Files and folders that are dropped, or chosen by the buttons.
import { $, tell } from "./elements.js";
import { takeFilm, takeFolder } from "./films.js";
import { takePicture } from "./places.js";

// Several files are the pictures of a film, as those of a folder are.
function takeFiles(kind, files) {
  if (!files.length) return;
  if (kind === "picture") takePicture(files[0]);
  else if (files.length === 1) takeFilm(files[0]);
  else takeFolder("pictures", files);
}

// The files of a folder that was dropped; those of folders in it are not its pictures.
async function filesOf(entry) {
  const reader = entry.createReader(), files = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) return files;
    for (const each of some) if (each.isFile) files.push(await new Promise((resolve, reject) => each.file(resolve, reject)));
  }
}

for (const kind of ["film", "picture"]) {
  const drop = $(`#${kind}`);
  $("input", drop).addEventListener("change", event => takeFiles(kind, [...event.target.files]));
  for (const type of ["dragenter", "dragover"]) {
    drop.addEventListener(type, event => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", event => {
    event.preventDefault();
    drop.classList.remove("over");
    const entry = event.dataTransfer.items[0]?.webkitGetAsEntry();
    if (kind === "film" && entry?.isDirectory) {
      filesOf(entry).then(files => takeFolder(entry.name, files), error => tell(error.message, true));
    } else takeFiles(kind, [...event.dataTransfer.files]);
  });
}

$("#folder").addEventListener("change", event => {
  // The files of folders in it come, too; the paths begin with the name of the folder.
  const files = [...event.target.files].filter(file => file.webkitRelativePath.split("/").length === 2);
  if (event.target.files.length) takeFolder(event.target.files[0].webkitRelativePath.split("/")[0], files);
  event.target.value = ""; // so that the same folder may be chosen again
});

// A file that misses its place shall not take the page away.
for (const type of ["dragover", "drop"]) window.addEventListener(type, event => event.preventDefault());
