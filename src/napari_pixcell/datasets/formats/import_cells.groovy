// Adds the cells of the GeoJSON files to the images of this project, once.
// QuPath: Automate → Project scripts → import_cells. SYNTHETIC tissue, not real.
import qupath.lib.images.ImageData
import qupath.lib.io.PathIO
import qupath.lib.scripting.QP

def project = QP.getProject()
if (project == null) {
    println "Open the project first: File → Project → Open project."
    return
}
def folder = project.getPath().toFile().getParentFile()
def added = 0
for (entry in project.getImageList()) {
    def cells = new File(folder, entry.getOriginalImageName().replaceAll(/\.tif$/, ".geojson"))
    if (!cells.isFile()) {
        println "There is no ${cells.getName()}. Convert the dataset again."
        continue
    }
    def imageData = entry.readImageData()
    def hierarchy = imageData.getHierarchy()
    if (hierarchy.getDetectionObjects().isEmpty()) {
        imageData.setImageType(ImageData.ImageType.BRIGHTFIELD_H_E)
        hierarchy.addObjects(PathIO.readObjects(cells.toPath()))
        entry.saveImageData(imageData)
        added++
    }
    imageData.getServer().close()
}
project.syncChanges()
println "Added cells to ${added} images. Images that had cells are unchanged."
