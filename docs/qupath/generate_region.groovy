// Generates a synthetic variant of the selected region with napari-pixcell, and opens it.
//
// Select a rectangle on the image in QuPath, then run this script. The variant is read from this
// computer's napari-pixcell, in its own process. It opens as another image, and joins the project if
// one is open. SYNTHETIC tissue: for research use only.
import groovy.json.JsonSlurper
import qupath.lib.gui.QuPathGUI
import qupath.lib.images.servers.ImageServerProvider
import qupath.lib.scripting.QP
import java.awt.image.BufferedImage
import java.nio.file.Files
import java.nio.file.Paths

// The program, as “napari-pixcell” is called in a terminal, or its full path.
def program = "napari-pixcell"
// More options of “napari-pixcell generate”, such as ["--family", "pixcell-256", "--steps", "20"].
def options = ["--family", "demo", "--count", "1"]
// Where the variants are kept.
def out = Files.createTempDirectory("pixcell-").toFile()

def server = QP.getCurrentServer()
def selected = QP.getSelectedObject()
if (server == null || selected == null || selected.getROI() == null) {
    println "Select a region first: draw a rectangle on the image and click it."
    return
}
def address = server.getURIs().find { it.getScheme() == "file" }
if (address == null) {
    println "The image is not a file on this computer, so napari-pixcell cannot read it."
    return
}
def roi = selected.getROI()
def box = [roi.getBoundsX(), roi.getBoundsY(), roi.getBoundsWidth(), roi.getBoundsHeight()]
def region = box.collect { String.valueOf(Math.round(it)) }.join(",")
def command = [program, "generate", Paths.get(address).toString(), "--region", region,
               "--out", out.toString(), "--json"] + options
// QuPath may know a pixel size that the file does not state.
def mpp = server.getPixelCalibration().getAveragedPixelSizeMicrons()
if (!Double.isNaN(mpp)) {
    command += ["--mpp", String.valueOf(mpp)]
}

println "Generating; this may take minutes on a CPU."
def process = new ProcessBuilder(command.collect { it.toString() })
    .redirectError(new File(out, "messages.txt"))
    .start()
process.getOutputStream().close()
def answer = process.getInputStream().getText("UTF-8").trim()
if (process.waitFor() != 0) {
    def said = answer ? new JsonSlurper().parseText(answer).error : new File(out, "messages.txt").text
    println "napari-pixcell could not generate: ${said}"
    return
}
def images = new JsonSlurper().parseText(answer).images.collect { new File(out, it) }
def project = QP.getProject()
images.each { image ->
    if (project != null) {
        def support = ImageServerProvider.getPreferredUriImageSupport(BufferedImage.class, image.toURI().toString())
        def entry = project.addImage(support.getBuilders().get(0))
        entry.setImageName("Synthetic: ${image.getName()}")
        entry.putMetadataValue("region", region)
    }
    println "Wrote ${image}"
}
def window = QuPathGUI.getInstance()
if (project != null) {
    project.syncChanges()
    window?.refreshProject()
}
if (window != null) {
    // The window belongs to JavaFX's thread.
    javafx.application.Platform.runLater {
        window.openImage(window.getViewer(), images[0].toString(), false, false)
    }
}
